/** PEM text (RFC 7468, and RFC 1421 headers of traditional keys) to blocks, as people really paste it. */
import { type Refusal, refuse } from './refusal.ts';

export interface PemBlock {
  readonly label: string;
  /** Lines as `Proc-Type: 4,ENCRYPTED`; empty for modern blocks. */
  readonly headers: readonly string[];
  readonly der: Buffer;
}

const BEGIN = /^-----BEGIN ([A-Z0-9 ]{1,40})-----$/;
const END = /^-----END ([A-Z0-9 ]{1,40})-----$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const MAX_BLOCKS = 64;

/**
 * Every block of `text`, in order. Preambles and text between blocks, CRLF or CR, blank lines, indentation and a missing final
 * newline are accepted (domain.md 10, scenario 39); a block that is cut short or is not base64 is a refusal. Linear in the text.
 */
export function readPemBlocks(
  text: string,
  what: 'certificate' | 'private key',
  maxBlocks = MAX_BLOCKS,
): { readonly ok: true; readonly blocks: readonly PemBlock[] } | Refusal {
  const blocks: PemBlock[] = [];
  let label: string | null = null;
  let headers: string[] = [];
  let body: string[] = [];
  // Files joined without a newline between them put END and BEGIN on one line.
  for (const raw of text.replaceAll('----------BEGIN ', '-----\n-----BEGIN ').split(/\r\n|\n|\r/)) {
    const line = raw.trim();
    const begin = BEGIN.exec(line)?.[1];
    if (begin !== undefined) {
      if (label !== null) return refuse('PEM_MALFORMED', `the ${what} has a block without an END line`);
      if (blocks.length >= maxBlocks) return refuse('PEM_TOO_LARGE', `the ${what} has too many PEM blocks`);
      label = begin;
      headers = [];
      body = [];
      continue;
    }
    if (label === null || line === '') continue;
    const end = END.exec(line)?.[1];
    if (end === undefined) {
      // No base64 line holds a colon, so a header needs no state to be told from the body.
      if (line.includes(':')) headers.push(line);
      else body.push(line);
      continue;
    }
    const base64 = body.join('');
    if (end !== label || base64.length % 4 !== 0 || !BASE64.test(base64)) {
      return refuse('PEM_MALFORMED', `the ${what} has a block that is not valid PEM`);
    }
    blocks.push({ label, headers, der: Buffer.from(base64, 'base64') });
    label = null;
  }
  if (label !== null) return refuse('PEM_MALFORMED', `the ${what} has a block without an END line`);
  return { ok: true, blocks };
}

/** PEM of DER bytes: LF line ends, 64 columns, final newline. */
export function toPem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
