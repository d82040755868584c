/** Redirects from HTTP to HTTPS, and Strict-Transport-Security; only where HTTPS would work. */
import { createHostPatterns } from '../config/host-patterns.ts';
import type { Config } from '../config/schema.ts';
import type { RequestHead } from '../http/request-head.ts';
import { type ResponseHead, withKept } from '../http/response-head.ts';
import type { Trust } from '../http/trusted-proxies.ts';
import type { Destination } from '../router/router.ts';
import { type OwnAnswer, redirectAnswer } from './respond.ts';

type Hsts = Exclude<Config['https']['hsts'], 'off'>;
type Status = Exclude<Config['https']['redirect'], 'off'>;

export interface HttpsPolicy {
  /** The answer to a request in plain HTTP that is to come again over HTTPS; null: it is served. `host` in normal form. */
  redirect(host: string, destination: Destination, head: RequestHead, peerAddress: string): OwnAnswer | null;
  /** A gear's head as it goes to a client of TLS. `app` is `namespace/app`. */
  answerHead(host: string, app: string, head: ResponseHead): ResponseHead;
  /** The same for an answer of ours (RFC 6797 7.1: whatever comes over TLS says it). */
  ownAnswer(host: string, app: string, answer: OwnAnswer): OwnAnswer;
}

interface Rule {
  readonly redirect: Status | 'off';
  readonly hsts: Hsts | 'off';
  /** The line, with its CRLF. */
  readonly line: string;
}

/** Null where the configuration asks for neither: then nothing is looked up for any request. */
export function createHttpsPolicy(options: {
  readonly config: Config['https'];
  readonly trust: Trust;
  /** Whether a handshake for this host gets a certificate of its own that clients can believe. */
  hasCertificate(host: string): boolean;
  /** Port that clients reach HTTPS at; null: there is none. */
  httpsPort(): number | null;
}): HttpsPolicy | null {
  const { config, trust, hasCertificate, httpsPort } = options;
  const common = ruleOf(config, config);
  const rules = config.rules.map((rule) => ({ ...rule, rule: ruleOf(rule, config) }));
  if (
    ![common, ...rules.map(({ rule }) => rule)].some(
      ({ redirect, hsts }) => redirect !== 'off' || hsts !== 'off',
    )
  ) {
    return null;
  }
  const byName = createHostPatterns(
    rules.flatMap(({ names, rule }) => names.map((name) => [name, rule] as const)),
  );
  const byApplication = new Map(
    rules.flatMap(({ applications, rule }) => applications.map((app) => [app, rule] as const)),
  );
  const ruleFor = (host: string, app: string): Rule => byName(host) ?? byApplication.get(app) ?? common;

  return {
    redirect(host, { host: { app }, route }, head, peerAddress) {
      const { redirect } = ruleFor(host, app);
      if (redirect === 'off' || head.target === '*' || isExempt(config.exemptPaths, head.target)) return null;
      const port = httpsPort();
      const speaksTlsItself = route.endpoints.length === 0 && route.passThrough.length > 0;
      if (port === null || !(speaksTlsItself || hasCertificate(host))) return null;
      // The client is on HTTPS already, at a proxy in front of us: it would come again and again.
      if (cameByHttps(head) && trust(peerAddress)) return null;
      const authority = port === 443 ? host : `${host}:${port}`;
      return redirectAnswer(statusFor(redirect, head.method), `https://${authority}${head.target}`);
    },
    answerHead(host, app, head) {
      const { hsts, line } = ruleFor(host, app);
      if (hsts === 'off') return head;
      const own = OWN_LINES.test(head.kept);
      if ((own && hsts.gears === 'keep') || !hasCertificate(host)) return head;
      return withKept(head, (own ? head.kept.replaceAll(ALL_OWN_LINES, '') : head.kept) + line);
    },
    ownAnswer(host, app, answer) {
      const { hsts, line } = ruleFor(host, app);
      return hsts === 'off' || !hasCertificate(host) ? answer : { ...answer, fields: answer.fields + line };
    },
  };
}

const OWN_LINES = /^strict-transport-security:/im;
const ALL_OWN_LINES = /^strict-transport-security:[^\r]*\r\n/gim;

function ruleOf(
  rule: { readonly redirect?: Status | 'off' | undefined; readonly hsts?: Hsts | 'off' | undefined },
  common: Config['https'],
): Rule {
  const hsts = rule.hsts ?? common.hsts;
  return { redirect: rule.redirect ?? common.redirect, hsts, line: hsts === 'off' ? '' : hstsLine(hsts) };
}

function hstsLine({ maxAgeSeconds, includeSubDomains, preload }: Hsts): string {
  const scope = includeSubDomains ? '; includeSubDomains' : '';
  return `Strict-Transport-Security: max-age=${maxAgeSeconds}${scope}${preload ? '; preload' : ''}\r\n`;
}

/** 301 and 302 let clients make a GET of anything (RFC 9110 15.4.2): what has a body comes again with it. */
function statusFor(status: Status, method: string): Status {
  if (method === 'GET' || method === 'HEAD') return status;
  return status === 301 ? 308 : status === 302 ? 307 : status;
}

/** One segment and nothing else: by dots, slashes and percent signs one could get out of the path again. */
function isExempt(paths: readonly string[], target: string): boolean {
  return paths.some(
    (path) => target.startsWith(path) && /^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$/.test(target.slice(path.length)),
  );
}

function cameByHttps({ forwarding }: RequestHead): boolean {
  return forwarding.some(([name, value]) => name === 'x-forwarded-proto' && value.toLowerCase() === 'https');
}
