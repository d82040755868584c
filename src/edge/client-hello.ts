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

/** Of a ClientHello: legacy_version and random. */
const VERSION_AND_RANDOM = 34;

const NONE: Buffer = Buffer.alloc(0);
/** No offset is beyond it, so that a check of the last of several vectors is one of all. */
const BEYOND = Number.MAX_SAFE_INTEGER;
const MALFORMED: Invalid = { kind: 'invalid', reason: 'the hello is malformed' };

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
      if (message.length >= expected) return readHello(message, MESSAGE_HEADER, expected);
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

/** Reads by offsets: a reader object for each vector would cost as much again as all the rest. */
function readHello(bytes: Buffer, start: number, end: number): HelloRead {
  const legacyVersion = uint16(bytes, start);
  const sessionAt = start + VERSION_AND_RANDOM;
  const suitesAt = endOfVector8(bytes, sessionAt, end);
  const compressionsAt = endOfVector16(bytes, suitesAt, end);
  let at = endOfVector8(bytes, compressionsAt, end);
  const suitesLength = compressionsAt - suitesAt - 2;
  if (at === BEYOND || legacyVersion >> 8 !== 3 || suitesAt - sessionAt - 1 > 32) return MALFORMED;
  if (suitesLength === 0 || suitesLength % 2 !== 0 || at - compressionsAt === 1) return MALFORMED;
  let serverName: string | null = null;
  let alpn: readonly string[] | null = null;
  let versions: readonly number[] | null = null;
  let groups = NONE;
  let signatureAlgorithms = NONE;
  // A TLS 1.2 hello may end here.
  if (at < end) {
    if (endOfVector16(bytes, at, end) !== end) return MALFORMED;
    at += 2;
  }
  while (at < end) {
    const type = uint16(bytes, at);
    const content = at + 4;
    at = endOfVector16(bytes, at + 2, end);
    if (at === BEYOND) return MALFORMED;
    if (type === EXTENSION_SERVER_NAME) {
      if (serverName !== null) return invalid('two server names');
      serverName = readServerName(bytes, content, at);
      if (serverName === null) return invalid('the server name is no host name');
    } else if (type === EXTENSION_ALPN) {
      if (alpn !== null) return invalid('two lists of protocols');
      alpn = readAlpn(bytes, content, at);
      if (alpn === null) return invalid('the list of protocols is malformed');
    } else if (type === EXTENSION_SUPPORTED_VERSIONS) {
      if (versions !== null) return invalid('two lists of versions');
      versions = readVersions(bytes, content, at);
      if (versions === null) return invalid('the list of versions is malformed');
    } else if (type === EXTENSION_SUPPORTED_GROUPS) groups = readCodes(bytes, content, at);
    else if (type === EXTENSION_SIGNATURE_ALGORITHMS) signatureAlgorithms = readCodes(bytes, content, at);
  }
  return {
    kind: 'hello',
    serverName,
    alpn: alpn ?? [],
    versions: versions ?? [legacyVersion],
    cipherSuites: bytes.subarray(suitesAt + 2, compressionsAt),
    signatureAlgorithms,
    groups,
  };
}

/** Exactly one name of type host_name; RFC 6066 allows no second one, and no other type was ever defined. */
function readServerName(bytes: Buffer, at: number, end: number): string | null {
  if (endOfVector16(bytes, at, end) !== end || bytes[at + 2] !== 0) return null;
  if (endOfVector16(bytes, at + 3, end) !== end) return null;
  const name = bytes.toString('latin1', at + 5, end).toLowerCase();
  const host = name.endsWith('.') ? name.slice(0, -1) : name;
  return host.length <= 253 && HOST_NAME.test(host) ? host : null;
}

/** Null where the list is malformed or empty, as below. */
function readAlpn(bytes: Buffer, at: number, end: number): readonly string[] | null {
  if (endOfVector16(bytes, at, end) !== end) return null;
  const protocols: string[] = [];
  for (let from = at + 2; from < end; ) {
    const next = endOfVector8(bytes, from, end);
    if (next === BEYOND || next === from + 1) return null;
    protocols.push(bytes.toString('latin1', from + 1, next));
    from = next;
  }
  return protocols.length === 0 ? null : protocols;
}

function readVersions(bytes: Buffer, at: number, end: number): readonly number[] | null {
  if (endOfVector8(bytes, at, end) !== end || (end - at) % 2 === 0) return null;
  const versions: number[] = [];
  for (let from = at + 1; from < end; from += 2) versions.push(uint16(bytes, from));
  return versions.length === 0 ? null : versions;
}

/** A list of two-octet codes; what is malformed is left to OpenSSL to refuse, and counts as an empty list here. */
function readCodes(bytes: Buffer, at: number, end: number): Buffer {
  return endOfVector16(bytes, at, end) === end && (end - at) % 2 === 0 ? bytes.subarray(at + 2, end) : NONE;
}

function invalid(reason: string): Invalid {
  return { kind: 'invalid', reason };
}

function uint16(bytes: Buffer, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

/** Where a vector ends whose length stands at `at` in one octet; BEYOND where it runs over `end`, or `at` does. */
function endOfVector8(bytes: Buffer, at: number, end: number): number {
  if (at >= end) return BEYOND;
  const stop = at + 1 + (bytes[at] ?? 0);
  return stop > end ? BEYOND : stop;
}

/** The same of a length in two octets. */
function endOfVector16(bytes: Buffer, at: number, end: number): number {
  if (at + 2 > end) return BEYOND;
  const stop = at + 2 + uint16(bytes, at);
  return stop > end ? BEYOND : stop;
}
