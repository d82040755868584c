/** Writing answers: the same careful headers on each. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { adminJson } from './redact.ts';

const CAREFUL_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
} as const;

type MoreHeaders = Readonly<Record<string, string>>;

/** Status and headers; the body follows by the caller. */
export function begin(response: ServerResponse, status: number, type: string, more: MoreHeaders = {}): void {
  response.writeHead(status, { ...CAREFUL_HEADERS, 'Content-Type': type, ...more });
}

export function answerText(
  response: ServerResponse,
  status: number,
  text: string,
  more: MoreHeaders = {},
): void {
  begin(response, status, 'text/plain; charset=utf-8', {
    'Content-Length': String(Buffer.byteLength(text)),
    ...more,
  });
  response.end(text);
}

export function answerJson(response: ServerResponse, status: number, value: unknown): void {
  const text = `${adminJson(value, 2)}\n`;
  begin(response, status, 'application/json', { 'Content-Length': String(Buffer.byteLength(text)) });
  response.end(text);
}

const CHUNK_CHARS = 65_536;

/**
 * Writes `{...head, "<name>": [...]}` as the reader takes it, one entry a line: a table of 100,000 applications neither
 * fills memory nor holds up the event loop.
 */
export async function answerList(
  response: ServerResponse,
  head: object,
  name: string,
  entries: Iterable<object>,
): Promise<void> {
  begin(response, 200, 'application/json');
  const opening = adminJson(head).slice(0, -1);
  let chunk = `${opening}${opening === '{' ? '' : ','}${JSON.stringify(name)}:[`;
  let separator = '\n';
  for (const entry of entries) {
    chunk += separator + adminJson(entry);
    separator = ',\n';
    if (chunk.length < CHUNK_CHARS) continue;
    const free = response.write(chunk);
    chunk = '';
    if (free) await setImmediate();
    else await drained(response);
    if (response.destroyed) return;
  }
  response.end(`${chunk}\n]}\n`);
}

/** Resolves when the reader took what was written, or went away. */
async function drained(response: ServerResponse): Promise<void> {
  const done = new AbortController();
  await Promise.race([
    once(response, 'drain', { signal: done.signal }),
    once(response, 'close', { signal: done.signal }),
  ]).catch(() => undefined);
  done.abort();
}
