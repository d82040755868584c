/** Bodies of requests that write: bounded, and only of the type that is expected. */
import type { IncomingMessage } from 'node:http';
import type { Refusal } from './guard.ts';

export type Body =
  | { readonly ok: true; readonly bytes: Buffer }
  | { readonly ok: false; readonly refusal: Refusal };

/**
 * The whole body. Refused (values, not throws) when it is longer than `maxBytes` or of no type of `types`: no HTML form can send
 * application/json or YAML, one more thing that a foreign page cannot do.
 */
export async function readBody(
  request: IncomingMessage,
  types: readonly string[],
  maxBytes: number,
): Promise<Body> {
  const sent = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (sent === undefined || !types.includes(sent))
    return refuse(415, 'ADMIN_BODY_TYPE', `The body must be ${types.join(' or ')}.`);
  const tooLarge = refuse(413, 'ADMIN_BODY_TOO_LARGE', `A body here has at most ${maxBytes} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return tooLarge;
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > maxBytes) return tooLarge;
    pieces.push(piece);
  }
  return { ok: true, bytes: Buffer.concat(pieces, bytes) };
}

/** The body as a JSON object; an empty one is an empty object. */
export async function readJson(
  request: IncomingMessage,
  maxBytes: number,
): Promise<
  { readonly ok: true; readonly value: Readonly<Record<string, unknown>> } | Extract<Body, { ok: false }>
> {
  const body = await readBody(request, ['application/json'], maxBytes);
  if (!body.ok) return body;
  try {
    const value: unknown = body.bytes.length === 0 ? {} : JSON.parse(body.bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return { ok: true, value: value as Readonly<Record<string, unknown>> };
  } catch {
    // Said below; the parser's words would quote the body.
  }
  return refuse(400, 'ADMIN_BODY_INVALID', 'The body must be one JSON object.');
}

function refuse(status: Refusal['status'], code: string, reason: string): Extract<Body, { ok: false }> {
  return { ok: false, refusal: { status, code, reason } };
}
