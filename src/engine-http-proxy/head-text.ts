/**
 * Between Node's parsed messages and our own head readers: heads are put together again from `rawHeaders` and read a second time,
 * so that both engines refuse the same heads and pass the same fields. (`req.headers` joins, drops and lower-cases.) Pure.
 */
import type { IncomingMessage } from 'node:http';

/** The head of a request as text, with a CRLF after each line and no empty line. */
export function requestText(request: IncomingMessage): string {
  const { method = '', url = '', httpVersion, rawHeaders } = request;
  return `${method} ${url} HTTP/${httpVersion}\r\n${fieldText(rawHeaders)}`;
}

/** The head of a response as text. */
export function responseText(response: IncomingMessage): string {
  const { statusCode = 0, statusMessage = '', httpVersion, rawHeaders } = response;
  return `HTTP/${httpVersion} ${statusCode} ${statusMessage}\r\n${fieldText(rawHeaders)}`;
}

/** Name, value, name, value ... as field lines with their CRLF. */
export function fieldText(rawHeaders: readonly string[]): string {
  let text = '';
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
  return text;
}

/** Field lines, each with its CRLF, as name, value, name, value ... Names in `except` (lower-case) are left out. */
export function flatFields(lines: string, except?: ReadonlySet<string>): string[] {
  const flat: string[] = [];
  for (const line of lines.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const name = line.slice(0, colon);
    if (except?.has(name.toLowerCase())) continue;
    flat.push(name, line.slice(colon + 1).trim());
  }
  return flat;
}

/** The same with the values of each name together, in order of first appearance: what `setHeader` takes. */
export function groupedFields(flat: readonly string[]): readonly (readonly [string, string | string[]])[] {
  const groups = new Map<string, [string, string[]]>();
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = flat[i] ?? '';
    const group = groups.get(name.toLowerCase()) ?? [name, []];
    group[1].push(flat[i + 1] ?? '');
    groups.set(name.toLowerCase(), group);
  }
  return [...groups.values()].map(([name, values]) => [
    name,
    values.length === 1 ? (values[0] ?? '') : values,
  ]);
}

/** Name, value, name, value ... as pairs: what `addTrailers` takes. */
export function pairsOf(flat: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) pairs.push([flat[i] ?? '', flat[i + 1] ?? '']);
  return pairs;
}
