/**
 * Who may ask, judged before anything else of a request is looked at. Pure.
 *
 * The admin listener is on loopback and asks readers for no password (writers: authorise.ts), so what stands between a web page in the browser of
 * somebody on this machine and the routing table is the Host check (against DNS rebinding: a hostile name that suddenly
 * leads to 127.0.0.1) and the Origin check (against requests that a foreign page sends across).
 */
import { isIP } from 'node:net';

export interface Refusal {
  readonly status: 400 | 401 | 403 | 405 | 413 | 414 | 415;
  readonly code: string;
  readonly reason: string;
}

export type Guarded =
  | { readonly ok: true; readonly path: string; readonly query: URLSearchParams }
  | { readonly ok: false; readonly refusal: Refusal };

export interface RequestFacts {
  readonly method: string;
  /** As sent. */
  readonly url: string;
  /** Alternating names and values, as sent. */
  readonly rawHeaders: readonly string[];
}

const MAX_URL_CHARS = 2_048;

/**
 * Host values that are answered: the own address, `localhost` and the loopback addresses, each with the right port, and
 * what the configuration adds (with the right port unless an entry names another).
 */
export function allowedHosts(host: string, port: number, further: readonly string[]): ReadonlySet<string> {
  const allowed = new Set<string>();
  for (const name of [host, 'localhost', '127.0.0.1', '::1', ...further]) {
    const bare = isIP(name) === 6 ? `[${name}]` : name.toLowerCase();
    if (/:\d+$/.test(bare) && isIP(name) !== 6) {
      allowed.add(bare);
      continue;
    }
    allowed.add(`${bare}:${port}`);
    if (port === 80) allowed.add(bare);
  }
  return allowed;
}

/** The path and query of a request that may be answered, or why it may not. */
export function guard(request: RequestFacts, allowed: ReadonlySet<string>): Guarded {
  const hosts = headerValues(request.rawHeaders, 'host');
  const [host] = hosts;
  if (host === undefined || hosts.length > 1) {
    return refused(400, 'ADMIN_HOST_MISSING', 'A request needs exactly one Host.');
  }
  if (!allowed.has(host.toLowerCase())) {
    return refused(
      403,
      'ADMIN_HOST_NOT_ALLOWED',
      'This Host is not answered here. Ask by the address that admin listens on, or add the name to admin.allowedHosts.',
    );
  }
  for (const origin of headerValues(request.rawHeaders, 'origin')) {
    if (!origin.startsWith('http://') || !allowed.has(origin.slice('http://'.length).toLowerCase())) {
      return refused(403, 'ADMIN_ORIGIN_NOT_ALLOWED', 'Pages of other origins may not ask admin.');
    }
  }
  if (!['GET', 'HEAD', 'POST'].includes(request.method)) {
    return refused(
      405,
      'ADMIN_METHOD_NOT_ALLOWED',
      'Only GET and HEAD, and POST where something can be changed.',
    );
  }
  if (request.url.length > MAX_URL_CHARS) {
    return refused(414, 'ADMIN_TARGET_TOO_LONG', `A target has at most ${MAX_URL_CHARS} characters.`);
  }
  // Absolute-form would bring a second host into play; `//x` would be one to a URL parser, so none is used for the path.
  if (!/^\/[!-~]*$/.test(request.url) || request.url.startsWith('//')) {
    return refused(400, 'ADMIN_TARGET_INVALID', 'A target begins with one slash.');
  }
  const mark = request.url.indexOf('?');
  const path = mark === -1 ? request.url : request.url.slice(0, mark);
  return { ok: true, path, query: new URLSearchParams(mark === -1 ? '' : request.url.slice(mark + 1)) };
}

function refused(status: Refusal['status'], code: string, reason: string): Guarded {
  return { ok: false, refusal: { status, code, reason } };
}

/** Every value of a field, as sent; `name` in lower case. */
export function headerValues(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, n) => n % 2 === 1 && rawHeaders[n - 1]?.toLowerCase() === name);
}
