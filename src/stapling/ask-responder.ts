/** Asks an OCSP responder, within limits of time, size and address. Its name and all that it says are a stranger's. */
import { Resolver } from 'node:dns/promises';
import { request } from 'node:http';
import { isIP } from 'node:net';
import { MAX_OCSP_RESPONSE_BYTES } from '../pem/ocsp-response.ts';
import type { DialPolicy } from './dial-policy.ts';

export type Asked =
  | { readonly ok: true; readonly response: Buffer }
  | {
      readonly ok: false;
      readonly code:
        | 'STAPLING_URL'
        | 'STAPLING_ADDRESS'
        | 'STAPLING_DNS'
        | 'STAPLING_HTTP'
        | 'STAPLING_UNREACHABLE';
    };

export interface AskOptions {
  readonly policy: DialPolicy;
  /** For resolving, connecting and the whole answer, in all. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Default: DNS. */
  readonly resolve?: (host: string, timeoutMs: number) => Promise<readonly string[]>;
}

/**
 * POSTs the request (RFC 6960 appendix A.1). The name is resolved here and a literal address is dialled, so that what was judged is what is
 * connected to; redirections are not followed, for the same reason. Never rejects.
 */
export async function askResponder(url: string, body: Buffer, options: AskOptions): Promise<Asked> {
  const target = targetOf(url);
  if (target === null) return { ok: false, code: 'STAPLING_URL' };
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
  let addresses: readonly string[];
  try {
    const resolve = options.resolve ?? resolveByDns;
    addresses = isIP(target.host) === 0 ? await resolve(target.host, options.timeoutMs) : [target.host];
  } catch {
    return { ok: false, code: 'STAPLING_DNS' };
  }
  const address = addresses.find((one) => options.policy.allows(one, target.port));
  if (address === undefined)
    return { ok: false, code: addresses.length > 0 ? 'STAPLING_ADDRESS' : 'STAPLING_DNS' };
  return await post({ ...target, address, body, signal });
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly authority: string;
}

function targetOf(url: string): Target | null {
  if (!URL.canParse(url)) return null;
  const { protocol, hostname, host, port, pathname, search, username, password } = new URL(url);
  if (protocol !== 'http:' || username !== '' || password !== '') return null;
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 80 : Number(port),
    path: `${pathname}${search}`,
    authority: host,
  };
}

/**
 * A new resolver each time, since an old one never notices a change of resolv.conf. Not dns.lookup: that would occupy the threads which
 * read files, for as long as a stranger's name server likes.
 */
async function resolveByDns(host: string, timeoutMs: number): Promise<string[]> {
  const resolver = new Resolver({ timeout: Math.ceil(timeoutMs / 4), tries: 2 });
  const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  return found.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
}

function post(
  call: Target & { readonly address: string; readonly body: Buffer; readonly signal: AbortSignal },
): Promise<Asked> {
  return new Promise((done) => {
    const asked = request(
      {
        method: 'POST',
        host: call.address,
        port: call.port,
        path: call.path,
        // One connection a question: they are hours apart.
        agent: false,
        signal: call.signal,
        headers: {
          host: call.authority,
          'content-type': 'application/ocsp-request',
          'content-length': call.body.length,
          connection: 'close',
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        let received = 0;
        const refuse = (): void => {
          asked.destroy();
          done({ ok: false, code: 'STAPLING_HTTP' });
        };
        if (response.statusCode !== 200) return refuse();
        response.on('data', (chunk: Buffer) => {
          received += chunk.length;
          if (received > MAX_OCSP_RESPONSE_BYTES) refuse();
          else chunks.push(chunk);
        });
        response.once('end', () => done({ ok: true, response: Buffer.concat(chunks) }));
        response.once('error', () => done({ ok: false, code: 'STAPLING_UNREACHABLE' }));
      },
    );
    asked.once('error', () => done({ ok: false, code: 'STAPLING_UNREACHABLE' }));
    asked.end(call.body);
  });
}
