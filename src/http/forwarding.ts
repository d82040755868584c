/**
 * What the gear is told of the client: X-Forwarded-For/-Proto/-Host/-Port, X-Client-IP, X-Request-Start as the node frontend
 * writes them (domain.md 4), and Forwarded (RFC 7239). What an untrusted client sent of these was taken out when its head was read.
 */
import type { RequestHead } from './request-head.ts';
import type { Trust } from './trusted-proxies.ts';

/** What a connection says of all its requests. */
export interface Downstream {
  readonly peerAddress: string;
  readonly scheme: 'http' | 'https';
  /** Port that clients use, from the listener. */
  readonly port: number;
  /** Whether the peer is a trusted proxy. */
  readonly trusted: boolean;
  /** Lines about the certificate of the peer, each with its CRLF, or ''. */
  readonly certificateLines: string;
}

export interface Forwarding {
  /** Field lines, each with its CRLF. */
  readonly lines: string;
  readonly clientAddress: string;
}

/** Digits of epoch seconds, and of the microseconds within one. */
const SECOND_DIGITS = 10;
const FRACTION_DIGITS = 6;
const SECOND_US = 1e6;
const ZERO = 0x30;

/** The fields of each request of one connection. Times in epoch microseconds. */
export class Forwarder {
  readonly #downstream: Downstream;
  readonly #trust: Trust;
  /** The lines of the last plain request: the next one is nearly always for the same Host, at another time. */
  #lines: Buffer | null = null;
  #host = '';
  #timeAt = 0;
  #emptyLineAt = 0;
  #second = -1;

  constructor(downstream: Downstream, trust: Trust) {
    this.#downstream = downstream;
    this.#trust = trust;
  }

  /** Whether nothing but the connection, Host and time says what the gear is told. */
  isPlain(head: RequestHead): boolean {
    return !this.#downstream.trusted || head.forwarding.length === 0;
  }

  of(head: RequestHead, startedAtUs: number): Forwarding {
    if (!this.isPlain(head)) return believed(head, String(startedAtUs), this.#downstream, this.#trust);
    return {
      clientAddress: this.#downstream.peerAddress,
      lines: this.endOfHead(head.host, startedAtUs).toString('latin1', 0, this.#emptyLineAt),
    };
  }

  /** The lines of a plain request with the empty line behind them, as latin1: valid until the next call. */
  endOfHead(host: string, startedAtUs: number): Buffer {
    const lines = this.#lines !== null && this.#host === host ? this.#lines : this.#make(host);
    const second = Math.floor(startedAtUs / SECOND_US);
    if (second !== this.#second) {
      this.#second = second;
      writeDigits(lines, this.#timeAt, SECOND_DIGITS, second);
    }
    writeDigits(lines, this.#timeAt + SECOND_DIGITS, FRACTION_DIGITS, startedAtUs - second * SECOND_US);
    return lines;
  }

  #make(host: string): Buffer {
    const { peerAddress, scheme, port, trusted, certificateLines } = this.#downstream;
    const before =
      // A trusted proxy speaks for its clients: its own certificate is none of theirs.
      `${trusted ? '' : certificateLines}X-Forwarded-For: ${peerAddress}\r\nX-Client-IP: ${peerAddress}\r\n` +
      `X-Forwarded-Proto: ${scheme}\r\nX-Forwarded-Port: ${port}\r\nX-Forwarded-Host: ${host}\r\nX-Request-Start: t=`;
    const time = ''.padEnd(SECOND_DIGITS + FRACTION_DIGITS, '0');
    const behind = `\r\nForwarded: ${forwardedElement(peerAddress, scheme)};host="${host}"\r\n\r\n`;
    this.#lines = Buffer.from(before + time + behind, 'latin1');
    this.#host = host;
    this.#timeAt = before.length;
    this.#emptyLineAt = this.#lines.length - 2;
    this.#second = -1;
    return this.#lines;
  }
}

/** `value` in `count` decimal digits. */
function writeDigits(target: Buffer, at: number, count: number, value: number): void {
  let rest = value;
  for (let index = at + count - 1; index >= at; index--) {
    const tens = Math.floor(rest / 10);
    target[index] = ZERO + rest - tens * 10;
    rest = tens;
  }
}

/** Fields of a request that came through a trusted proxy: its word stands, our hop is appended. */
function believed(head: RequestHead, startedAt: string, downstream: Downstream, trust: Trust): Forwarding {
  const sent = new Map<string, string>();
  for (const [name, value] of head.forwarding) {
    const before = sent.get(name);
    sent.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  const chain = sent.get('x-forwarded-for');
  const clientAddress = firstUntrusted(chain ?? '', downstream.peerAddress, trust);
  const proto = sent.get('x-forwarded-proto')?.toLowerCase();
  const scheme = proto === 'http' || proto === 'https' ? proto : downstream.scheme;
  const port = /^[0-9]{1,5}$/.exec(sent.get('x-forwarded-port') ?? '')?.[0] ?? portOf(downstream, scheme);
  const start = sent.get('x-request-start') ?? `t=${startedAt}`;
  const element = `${forwardedElement(downstream.peerAddress, downstream.scheme)};host="${head.host}"`;
  const forwarded = sent.get('forwarded');
  let lines =
    `X-Forwarded-For: ${chain === undefined ? '' : `${chain}, `}${downstream.peerAddress}\r\nX-Client-IP: ${clientAddress}\r\n` +
    `X-Forwarded-Proto: ${scheme}\r\nX-Forwarded-Port: ${port}\r\n` +
    `X-Forwarded-Host: ${sent.get('x-forwarded-host') ?? head.host}\r\nX-Request-Start: ${start}\r\n` +
    `Forwarded: ${forwarded === undefined ? '' : `${forwarded}, `}${element}\r\n`;
  for (const [name, lowerName] of CERTIFICATE_FIELDS) {
    const certificate = sent.get(lowerName);
    if (certificate !== undefined) lines += `${name}: ${certificate}\r\n`;
  }
  return { lines, clientAddress };
}

const CERTIFICATE_FIELDS = [
  ['X-Forwarded-Client-Cert', 'x-forwarded-client-cert'],
  ['X-Forwarded-SSL-Client-Cert', 'x-forwarded-ssl-client-cert'],
] as const;

function portOf(downstream: Downstream, scheme: string): number {
  if (scheme === downstream.scheme) return downstream.port;
  return scheme === 'https' ? 443 : 80;
}

/** The nearest address of the chain that is no trusted proxy: further left everything may be made up. */
function firstUntrusted(chain: string, peer: string, trust: Trust): string {
  const hops = chain.split(',').map((hop) => hop.trim());
  for (let index = hops.length - 1; index >= 0; index--) {
    const hop = hops[index] ?? '';
    if (hop !== '' && !trust(hop)) return /^[0-9A-Fa-f:.]+$/.test(hop) ? hop : peer;
  }
  return hops[0] !== undefined && hops[0] !== '' ? hops[0] : peer;
}

/** `for=...;proto=...` of RFC 7239 section 4; IPv6 quoted and in brackets (section 6). */
function forwardedElement(address: string, scheme: string): string {
  return `for=${address.includes(':') ? `"[${address}]"` : address};proto=${scheme}`;
}
