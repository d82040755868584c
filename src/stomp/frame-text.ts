/** Header escapes by STOMP version, and frames into bytes. Pure. */
import type { Frame, FrameFault } from './frame-types.ts';

export type StompVersion = '1.0' | '1.1' | '1.2';

/** Decoded headers; of a repeated one the first (1.2 "Repeated Header Entries"). */
export type Headers = ReadonlyMap<string, string>;

export type DecodedHeaders =
  | { readonly ok: true; readonly headers: Headers }
  | { readonly ok: false; readonly fault: FrameFault };

/** Versions that both ends speak, newest first. */
export const VERSIONS: readonly StompVersion[] = ['1.2', '1.1', '1.0'];

const BAD_ESCAPE: FrameFault = {
  code: 'STOMP_BAD_ESCAPE',
  reason: 'a header holds an escape sequence that this version of STOMP does not know',
};

/** Undoes the escapes of one text, or null on an undefined escape (1.2 "Value Encoding": a fatal error). */
function decodeText(text: string, version: StompVersion, lenient: boolean): string | null {
  if (version === '1.0' || !text.includes('\\')) return text;
  let undefinedEscape = false;
  const plain = text.replace(/\\(.?)/gs, (whole, letter: string) => {
    if (letter === 'n') return '\n';
    if (letter === 'c') return ':';
    if (letter === '\\') return '\\';
    if (letter === 'r' && version === '1.2') return '\r';
    undefinedEscape = true;
    return whole;
  });
  return undefinedEscape && !lenient ? null : plain;
}

/**
 * A frame's headers in the connection's version. CONNECT, STOMP and CONNECTED are never escaped. `lenient` leaves undefined
 * escapes as they stand: for what the message bus sends, since refusing would bring the same message again for ever.
 */
export function headersOf(frame: Frame, version: StompVersion, lenient = false): DecodedHeaders {
  const bare = frame.command === 'CONNECT' || frame.command === 'STOMP' || frame.command === 'CONNECTED';
  const headers = new Map<string, string>();
  for (const [rawName, rawValue] of frame.rawHeaders) {
    const name = bare ? rawName : decodeText(rawName, version, lenient);
    const value = bare ? rawValue : decodeText(rawValue, version, lenient);
    if (name === null || value === null) return { ok: false, fault: BAD_ESCAPE };
    if (!headers.has(name)) headers.set(name, value);
  }
  return { ok: true, headers };
}

/** Where a version has no escape for a character that would end the line, it becomes a space: no header can be smuggled in. */
function encodeText(text: string, version: StompVersion, bare: boolean): string {
  if (bare || version === '1.0') return text.replace(/[\r\n\0]/g, ' ');
  const escaped = text
    .replace(/\\/g, '\\\\')
    .replace(/\n/g, '\\n')
    .replace(/:/g, '\\c')
    .replaceAll('\0', ' ');
  return escaped.replace(/\r/g, version === '1.2' ? '\\r' : ' ');
}

/** One frame as bytes. `content-length` is added when there is a body; header names must need no escape in 1.0. */
export function encodeFrame(
  command: string,
  headers: Iterable<readonly [name: string, value: string]>,
  version: StompVersion,
  body: Buffer | null = null,
): Buffer {
  const bare = command === 'CONNECT' || command === 'STOMP' || command === 'CONNECTED';
  let head = `${command}\n`;
  for (const [name, value] of headers)
    head += `${encodeText(name, version, bare)}:${encodeText(value, version, bare)}\n`;
  if (body === null || body.length === 0) return Buffer.from(`${head}\n\0`);
  return Buffer.concat([Buffer.from(`${head}content-length:${body.length}\n\n`), body, Buffer.from('\0')]);
}
