/**
 * The one reading that a client's bytes have by RFC 9112, written anew with regular expressions: slow, plain, and independent of the
 * readers under test. It stops at the first doubt.
 */

export interface ReadRequest {
  readonly method: string;
  /** In origin-form or `*`. */
  readonly target: string;
  readonly host: string;
  /** Decoded. */
  readonly body: string;
  readonly head: string;
}

export interface Reading {
  readonly requests: readonly ReadRequest[];
  /** What comes after them: nothing, the beginning of a request, or something that is none. */
  readonly rest: 'nothing' | 'incomplete' | 'malformed';
  /** How many bytes they take. */
  readonly end: number;
}

const LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP\/1\.([01])$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: names what may stand in a field line, and what may not
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0-\x08\x0a-\x1f\x7f]*?)[ \t]*$/;
const CHUNK_LINE = /^([0-9A-Fa-f]+)(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

/** `text`: the bytes as latin1. */
export function readStrictly(text: string): Reading {
  const requests: ReadRequest[] = [];
  let at = 0;
  for (;;) {
    while (text.startsWith('\r\n', at)) at += 2;
    if (at === text.length) return { requests, rest: 'nothing', end: at };
    const headEnd = text.indexOf('\r\n\r\n', at);
    if (headEnd < 0) return { requests, rest: 'incomplete', end: at };
    const head = text.slice(at, headEnd);
    const parsed = readHead(head);
    if (parsed === null) return { requests, rest: 'malformed', end: at };
    const body = parsed.chunked
      ? readChunks(text, headEnd + 4)
      : { end: headEnd + 4 + parsed.length, body: text.slice(headEnd + 4, headEnd + 4 + parsed.length) };
    if (body === null) return { requests, rest: 'malformed', end: at };
    if (body.end > text.length) return { requests, rest: 'incomplete', end: at };
    requests.push({ ...parsed, body: body.body, head });
    at = body.end;
    if (parsed.closes) return { requests, rest: at === text.length ? 'nothing' : 'malformed', end: at };
  }
}

function readHead(head: string) {
  const [first = '', ...lines] = head.split('\r\n');
  const [, method = '', rawTarget = '', minor] = LINE.exec(first) ?? [];
  if (method === '' || rawTarget.includes('#')) return null;
  const absolute = /^https?:\/\/([^/?]+)(.*)$/i.exec(rawTarget);
  if (absolute === null && !rawTarget.startsWith('/') && !(rawTarget === '*' && method === 'OPTIONS'))
    return null;
  const fields = lines.map((line) => FIELD.exec(line));
  if (fields.includes(null)) return null;
  const valuesOf = (name: string) =>
    fields.flatMap((field) => (field?.[1]?.toLowerCase() === name ? [field[2] ?? ''] : []));
  const lengths = valuesOf('content-length');
  const codings = valuesOf('transfer-encoding');
  const hosts = valuesOf('host');
  if (hosts.length > 1 || (minor === '1' && hosts.length === 0)) return null;
  if (lengths.length + codings.length > 1 || (codings.length > 0 && minor === '0')) return null;
  if (!codings.every((coding) => /^chunked$/i.test(coding))) return null;
  if (!lengths.every((length) => /^[0-9]{1,15}$/.test(length))) return null;
  const options = valuesOf('connection')
    .join(',')
    .toLowerCase()
    .split(/[ \t]*,[ \t]*/);
  const rest = absolute?.[2] ?? '';
  return {
    method,
    target:
      absolute === null
        ? rawTarget
        : rest.startsWith('/')
          ? rest
          : rest === '' && method === 'OPTIONS'
            ? '*'
            : `/${rest}`,
    host: hosts[0] ?? '',
    chunked: codings.length > 0,
    length: Number(lengths[0] ?? 0),
    closes: options.includes('close') || (minor === '0' && !options.includes('keep-alive')),
  };
}

/** `end` behind the text: not whole yet. Null: not chunks. */
function readChunks(text: string, from: number): { readonly end: number; readonly body: string } | null {
  const incomplete = { end: text.length + 1, body: '' };
  let body = '';
  let at = from;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return text.includes('\n', at) ? null : incomplete;
    const digits = CHUNK_LINE.exec(text.slice(at, lineEnd))?.[1];
    if (digits === undefined || digits.length > 13) return null;
    const size = Number.parseInt(digits, 16);
    at = lineEnd + 2;
    if (size === 0) break;
    if (at + size + 2 > text.length) return incomplete;
    body += text.slice(at, at + size);
    if (!text.startsWith('\r\n', at + size)) return null;
    at += size + 2;
  }
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return incomplete;
    const line = text.slice(at, lineEnd);
    at = lineEnd + 2;
    if (line === '') return { end: at, body };
    if (!FIELD.test(line)) return null;
  }
}
