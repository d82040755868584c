/**
 * Reads a TLS ClientHello (RFC 8446 sections 4.1.2 and 5.1) before TLS starts: only so can the connection be wrapped with the context
 * of the name that the client asks for. Pure and strict: what does not add up to the last byte is invalid. OpenSSL reads the same bytes
 * afterwards and has the last word on everything that is not looked at here.
 */

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
/** A hello in records of a few bytes each is legal; this keeps reading it again at each new byte cheap. */
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
  const fragments: Buffer[] = [];
  const messageHeader: number[] = [];
  let gathered = 0;
  let expected = MESSAGE_HEADER;
  let offset = 0;
  while (gathered < expected) {
    const fault = faultOfRecordHeader(bytes, offset);
    if (fault !== null) return fault;
    if (fragments.length === MAX_RECORDS) return invalid('the hello is spread over too many records');
    if (bytes.length < offset + RECORD_HEADER)
      return { kind: 'incomplete', needBytes: offset + RECORD_HEADER };
    const start = offset + RECORD_HEADER;
    const length = bytes.readUInt16BE(offset + 3);
    const fragment = bytes.subarray(start, start + length);
    for (let i = 0; messageHeader.length < MESSAGE_HEADER && i < fragment.length; i += 1) {
      messageHeader.push(fragment[i] ?? 0);
    }
    const [type = 1, high = 0, middle = 0, low = 0] = messageHeader;
    if (type !== 1) return invalid('the first message is no ClientHello');
    if (messageHeader.length === MESSAGE_HEADER) {
      expected = MESSAGE_HEADER + high * 65_536 + middle * 256 + low;
      if (expected > MAX_HELLO_BYTES) return invalid('the hello is too long');
    }
    if (fragment.length < length && gathered + fragment.length < expected) {
      return { kind: 'incomplete', needBytes: start + Math.min(length, expected - gathered) };
    }
    fragments.push(fragment);
    gathered += fragment.length;
    offset = start + length;
  }
  // One record is the rule, and then nothing is copied.
  const message = fragments.length === 1 ? fragments[0] : Buffer.concat(fragments, gathered);
  return readHello(new Reader(message ?? bytes, MESSAGE_HEADER, expected));
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
