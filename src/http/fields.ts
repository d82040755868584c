/** What a proxy does with fields that it knows by name; every other field passes byte for byte. */
import { FieldWalk, NameTable } from './field-walk.ts';

/**
 * - `host`, `length`, `coding`, `connection`, `expect`, `upgrade`: read, see request-head.ts and response-head.ts
 * - `hop`: hop-by-hop, ends here (RFC 9110 7.6.1)
 * - `forwarding`: what proxies say of the client; believed from trusted proxies only
 * - `never`: never passed on, from nobody
 * - `seen`: passed on, and read for the access log
 */
export type FieldRule =
  | 'host'
  | 'length'
  | 'coding'
  | 'connection'
  | 'expect'
  | 'upgrade'
  | 'hop'
  | 'forwarding'
  | 'never'
  | 'seen';

/** Lower-case name -> rule. */
export const REQUEST_FIELDS: ReadonlyMap<string, FieldRule> = new Map<string, FieldRule>([
  ['host', 'host'],
  ['content-length', 'length'],
  ['transfer-encoding', 'coding'],
  ['connection', 'connection'],
  ['expect', 'expect'],
  ['upgrade', 'upgrade'],
  ['keep-alive', 'hop'],
  ['proxy-connection', 'hop'],
  ['proxy-authorization', 'hop'],
  ['proxy-authenticate', 'hop'],
  ['te', 'hop'],
  ['trailer', 'hop'],
  ['http2-settings', 'hop'],
  ['forwarded', 'forwarding'],
  ['x-client-ip', 'forwarding'],
  ['x-real-ip', 'forwarding'],
  ['x-request-start', 'forwarding'],
  // The node frontend routes on it whatever the Host says: any client could reach any tenant (domain.md 4).
  ['x-openshift-host', 'never'],
  // RFC 9440 2.4: gears that believe it must hear it from nobody else, and we say it in other fields.
  ['client-cert', 'never'],
  ['client-cert-chain', 'never'],
  // httpoxy: becomes the environment variable HTTP_PROXY of a CGI application.
  ['proxy', 'never'],
  ['user-agent', 'seen'],
  ['referer', 'seen'],
]);

/** X-Forwarded-Anything is ours to say, also what we do not set ourselves (X-Forwarded-SSL-Client-Cert, X-Forwarded-Server). */
export const FORWARDED_PREFIX = 'x-forwarded-';

/** Walks over the fields of one request head after another. */
export const requestWalk = new FieldWalk(new NameTable(REQUEST_FIELDS, FORWARDED_PREFIX));

export const RESPONSE_FIELDS: ReadonlyMap<string, FieldRule> = new Map<string, FieldRule>([
  ['content-length', 'length'],
  ['transfer-encoding', 'coding'],
  ['connection', 'connection'],
  ['upgrade', 'upgrade'],
  ['keep-alive', 'hop'],
  ['proxy-connection', 'hop'],
  ['proxy-authenticate', 'hop'],
  ['trailer', 'hop'],
  // Ours to say: a gear that set it would speak in our name.
  ['headgear-failure', 'never'],
]);

/** Walks over the fields of one response head after another. */
export const responseWalk = new FieldWalk(new NameTable(RESPONSE_FIELDS, ''));

/**
 * Fields that a `Connection` header cannot make us drop (RFC 9110 7.6.1: options must not name end-to-end fields): a client could
 * otherwise take away what the gear's application relies on.
 */
export const NOT_CONNECTION_OPTIONS: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'content-range',
  'transfer-encoding',
  'authorization',
  'cookie',
  'set-cookie',
  'cache-control',
  'date',
  'expect',
  'location',
  'origin',
  'range',
  'vary',
]);

const FOLDABLE = /[^a-z0-9-]/;

/**
 * Rule of a request field. Names that gears fold onto our own fall under the same rule: WSGI and PHP make `_` of `-` and `.`, and the
 * CGI variables of Apache 2.2 have `_` for anything that is no letter or digit, so `X|Forwarded|For` is X-Forwarded-For there.
 */
export function requestFieldRule(lowerName: string): FieldRule | undefined {
  const rule = REQUEST_FIELDS.get(lowerName);
  if (rule !== undefined) return rule;
  if (!FOLDABLE.test(lowerName)) return lowerName.startsWith(FORWARDED_PREFIX) ? 'forwarding' : undefined;
  const twin = requestFieldRule(foldedName(lowerName));
  return twin === undefined || twin === 'seen' ? undefined : 'never';
}

/** The name with everything that gears may fold as a hyphen. */
export function foldedName(lowerName: string): string {
  return lowerName.replaceAll(/[^a-z0-9]/g, '-');
}
