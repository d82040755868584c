/**
 * Reads a TLS ClientHello (RFC 8446 sections 4.1.2 and 5.1) before TLS starts: only so can the connection be wrapped with the context
 * of the name that the client asks for. Pure and strict: what does not add up to the last byte is invalid. OpenSSL reads the same bytes
 * afterwards and has the last word on everything that is not looked at here.
 */
import { GatheredBytes } from '../http/gathered-bytes.ts';

export interface ClientHello {
  /** Server name (RFC 6066 section 3), lower-case, no trailing dot; null where the client names none. */
  readonly serverName: string | null;
  /** Protocols the client offers (RFC 7301), in its order. */
  readonly alpn: readonly string[];
  /** Versions the client offers, as on the wire (0x0304 is TLS 1.3), in its order. */
  readonly versions: readonly number[];
  /** Lists of two-octet codes as on the wire, not copied: few hellos are asked what is in them. Empty where the client sends none. */
  readonly cipherSuites: Buffer;
  readonly signatureAlgorithms: Buffer;
  readonly groups: Buffer;
}

export type HelloRead =
  /** Nothing new can be said before `needBytes` bytes in all are there. */
  | { readonly kind: 'incomplete'; readonly needBytes: number }
  | ({ readonly kind: 'hello' } & ClientHello)
  | { readonly kind: 'invalid'; readonly reason: string };

type Invalid = Extract<HelloRead, { kind: 'invalid' }>;

/** The longest hello taken, over all its records. Post-quantum key shares make hellos of 2 KiB. */
const MAX_HELLO_BYTES = 16 * 1024;
/** A hello in records of a few bytes each is legal; nobody sends one in as many as this. */
const MAX_RECORDS = 1024;
const MAX_RECORD_BYTES = 16 * 1024;
const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;

const EXTENSION_SERVER_NAME = 0;
const EXTENSION_SUPPORTED_GROUPS = 10;
const EXTENSION_SIGNATURE_ALGORITHMS = 13;
const EXTENSION_ALPN = 16;
const EXTENSION_SUPPORTED_VERSIONS = 43;

const NONE: Buffer = Buffer.alloc(0);

/** Labels of letters, digits, hyphens and (found in practice) underscores. Dotted IPv4 passes; it will match no certificate's name. */
const HOST_NAME = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** Reads the hello at the beginning of `bytes`, whatever follows it. Never throws. */
export function readClientHello(bytes: Buffer): HelloRead {
  return new ClientHelloReader().push(bytes);
}

/**
 * The same as the bytes come. It goes on where it stopped: a hello in records of a byte each, or in segments of a byte each, costs no
 * more than its length. (To read it again from the front at each piece would cost its sender bytes and us their square.)
 */
export class ClientHelloReader {
  readonly #gathered = new GatheredBytes();
  /** What the records held so far. */
  readonly #message = new GatheredBytes();
  /** Where the next byte to be looked at is, how much of its record is left from there, and how many records there were. */
  #offset = 0;
  #left = 0;
  #records = 0;
  #needed = 1;

  /** Everything that came, what follows the hello included. */
  get bytes(): Buffer {
    return this.#gathered.bytes;
  }

  /** Takes what came next. After anything but `incomplete` it is done with. */
  push(piece: Buffer): HelloRead {
    this.#gathered.push(piece);
    const { length } = this.#gathered;
    if (length > 0 && length < this.#needed) return { kind: 'incomplete', needBytes: this.#needed };
    const read = this.#read(this.#gathered.bytes);
    if (read.kind === 'incomplete') this.#needed = read.needBytes;
    return read;
  }

  #read(bytes: Buffer): HelloRead {
    for (;;) {
      if (this.#left === 0) {
        const fault = faultOfRecordHeader(bytes, this.#offset);
        if (fault !== null) return fault;
        if (this.#records === MAX_RECORDS) return invalid('the hello is spread over too many records');
        const start = this.#offset + RECORD_HEADER;
        if (bytes.length < start) return { kind: 'incomplete', needBytes: start };
        this.#left = bytes.readUInt16BE(start - 2);
        this.#offset = start;
        this.#records += 1;
      }
      const fragment = bytes.subarray(this.#offset, this.#offset + this.#left);
      if (fragment.length > 0) this.#message.push(fragment);
      this.#offset += fragment.length;
      this.#left -= fragment.length;
      const message = this.#message.bytes;
      const [type = 1] = message;
      if (type !== 1) return invalid('the first message is no ClientHello');
      const expected =
        message.length < MESSAGE_HEADER ? MESSAGE_HEADER : MESSAGE_HEADER + bodyLength(message);
      if (expected > MAX_HELLO_BYTES) return invalid('the hello is too long');
      if (message.length >= expected) return readHello(new Reader(message, MESSAGE_HEADER, expected));
      if (this.#left > 0) {
        return {
          kind: 'incomplete',
          needBytes: this.#offset + Math.min(this.#left, expected - message.length),
        };
      }
    }
  }
}

function bodyLength(message: Buffer): number {
  return message.readUIntBE(1, 3);
}

function faultOfRecordHeader(bytes: Buffer, offset: number): Invalid | null {
  const type = bytes[offset];
  if (type === undefined) return null;
  if (type !== 22) return invalid(offset === 0 ? 'not TLS' : 'another record within the hello');
  const major = bytes[offset + 1];
  if (major !== undefined && major !== 3) return invalid('not a TLS record');
  if (bytes.length < offset + RECORD_HEADER) return null;
  const length = bytes.readUInt16BE(offset + 3);
  return length === 0 || length > MAX_RECORD_BYTES ? invalid('a record of wrong length') : null;
}

function readHello(hello: Reader): HelloRead {
  const legacyVersion = hello.uint16();
  hello.skip(32);
  const sessionId = hello.vector(1);
  const cipherSuites = hello.vector(2);
  const compressions = hello.vector(1);
  if (legacyVersion >> 8 !== 3 || sessionId.left > 32) return invalid('the hello is malformed');
  if (cipherSuites.left === 0 || cipherSuites.left % 2 !== 0 || compressions.left === 0) {
    return invalid('the hello is malformed');
  }
  let serverName: string | null = null;
  let alpn: readonly string[] | null = null;
  let versions: readonly number[] | null = null;
  let groups = NONE;
  let signatureAlgorithms = NONE;
  // A TLS 1.2 hello may end here.
  const extensions = hello.left > 0 ? hello.vector(2) : hello;
  while (extensions.left > 0 && !extensions.failed) {
    const type = extensions.uint16();
    if (type === EXTENSION_SERVER_NAME) {
      const content = extensions.vector(2);
      if (serverName !== null) return invalid('two server names');
      serverName = readServerName(content);
      if (serverName === null || !content.isDone) return invalid('the server name is no host name');
    } else if (type === EXTENSION_ALPN) {
      const content = extensions.vector(2);
      if (alpn !== null) return invalid('two lists of protocols');
      alpn = readAlpn(content);
      if (!content.isDone) return invalid('the list of protocols is malformed');
    } else if (type === EXTENSION_SUPPORTED_VERSIONS) {
      const content = extensions.vector(2);
      if (versions !== null) return invalid('two lists of versions');
      versions = readVersions(content);
      if (!content.isDone) return invalid('the list of versions is malformed');
    } else if (type === EXTENSION_SUPPORTED_GROUPS) groups = readCodes(extensions.vector(2));
    else if (type === EXTENSION_SIGNATURE_ALGORITHMS) signatureAlgorithms = readCodes(extensions.vector(2));
    else extensions.skip(extensions.uint16());
  }
  if (!extensions.isDone || !hello.isDone) return invalid('the hello is malformed');
  return {
    kind: 'hello',
    serverName,
    alpn: alpn ?? [],
    versions: versions ?? [legacyVersion],
    cipherSuites: cipherSuites.bytes(),
    signatureAlgorithms,
    groups,
  };
}

/** Exactly one name of type host_name; RFC 6066 allows no second one, and no other type was ever defined. */
function readServerName(content: Reader): string | null {
  const list = content.vector(2);
  const type = list.uint8();
  const name = list.vector(2).text().toLowerCase();
  if (type !== 0 || !list.isDone) return null;
  const host = name.endsWith('.') ? name.slice(0, -1) : name;
  return host.length <= 253 && HOST_NAME.test(host) ? host : null;
}

function readAlpn(content: Reader): readonly string[] {
  const list = content.vector(2);
  const protocols: string[] = [];
  while (list.left > 0 && !list.failed) {
    const protocol = list.vector(1).text();
    if (protocol === '') list.fail();
    protocols.push(protocol);
  }
  if (list.failed || protocols.length === 0) content.fail();
  return protocols;
}

function readVersions(content: Reader): readonly number[] {
  const list = content.vector(1);
  const versions: number[] = [];
  while (list.left > 0 && !list.failed) versions.push(list.uint16());
  if (list.failed || versions.length === 0) content.fail();
  return versions;
}

/** A list of two-octet codes; what is malformed is left to OpenSSL to refuse, and counts as an empty list here. */
function readCodes(content: Reader): Buffer {
  const list = content.vector(2);
  return content.isDone && list.left % 2 === 0 ? list.bytes() : NONE;
}

function invalid(reason: string): Invalid {
  return { kind: 'invalid', reason };
}

/** A place in a buffer. Reading past its end sets `failed` and yields zeros and empty vectors, so that callers check once. */
class Reader {
  failed = false;
  #bytes: Buffer;
  #offset: number;
  #end: number;

  constructor(bytes: Buffer, offset: number, end: number) {
    this.#bytes = bytes;
    this.#offset = offset;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.#offset;
  }

  /** Read to the very end, and not beyond. */
  get isDone(): boolean {
    return this.#offset === this.#end && !this.failed;
  }

  fail(): void {
    this.failed = true;
  }

  skip(count: number): void {
    if (count > this.left) this.failed = true;
    else this.#offset += count;
  }

  uint8(): number {
    const value = this.#bytes[this.#offset] ?? 0;
    this.skip(1);
    return this.failed ? 0 : value;
  }

  uint16(): number {
    return this.uint8() * 256 + this.uint8();
  }

  /** The contents of a vector whose length stands before it in `width` octets. */
  vector(width: 1 | 2): Reader {
    const length = width === 1 ? this.uint8() : this.uint16();
    const start = this.#offset;
    this.skip(length);
    return new Reader(this.#bytes, start, this.failed ? start : start + length);
  }

  /** What is left, as a view. */
  bytes(): Buffer {
    return this.#bytes.subarray(this.#offset, this.#end);
  }

  text(): string {
    return this.#bytes.toString('latin1', this.#offset, this.#end);
  }
}
