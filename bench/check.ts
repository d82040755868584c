/** Checks before anything is timed that a target answers rightly and does the work that all do: a figure of a proxy that does less is worth nothing. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { TLSSocket } from 'node:tls';
import { takeLines } from './access-log-lines.ts';
import { ORIGIN_BODY } from './origin.ts';
import { HOST, type Target } from './targets/target.ts';

/** What a client has no business to say; none of it may reach the origin. */
const LIES = {
  'X-Forwarded-For': '6.6.6.6',
  'X-Forwarded-Proto': 'gopher',
  'X-Forwarded-Host': 'evil.example',
  'X-Forwarded-Port': '6',
  'X-Client-IP': '6.6.6.6',
  'X-Request-Start': 't=6',
  Forwarded: 'for=6.6.6.6',
  'X-OpenShift-Host': 'evil.example',
  'X-Forwarded-SSL-Client-Cert': 'lies',
};

export interface CheckOptions {
  readonly caFile: string;
  /** Cipher that every target has to choose, OpenSSL's name. */
  readonly cipher: string;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly tls: { readonly version: string | null; readonly cipher: string } | null;
}

type Ask = (path: string, host?: string) => Promise<Answer>;

/** Rejects with what is wrong. Leaves the access log empty. */
export async function checkTarget(target: Target, options: CheckOptions): Promise<void> {
  await takeLines(target.accessLog, 0);
  let asked = 0;
  for (const [scheme, port] of [
    ['http', target.httpPort],
    ['https', target.httpsPort],
  ] as const) {
    const { ask, close } = client(scheme, port, options.caFile);
    const counted: Ask = (path, host) => {
      asked += 1;
      return ask(path, host);
    };
    try {
      await checkScheme(counted, scheme, port, options.cipher);
    } catch (error) {
      throw new Error(`${target.name} over ${scheme}: ${(error as Error).message}`, { cause: error });
    } finally {
      close();
    }
  }
  await takeLines(target.accessLog, asked);
}

async function checkScheme(ask: Ask, scheme: string, port: number, cipher: string): Promise<void> {
  const { status, body, tls } = await ask('/');
  assert.equal(status, 200);
  assert.equal(body, ORIGIN_BODY);
  if (scheme === 'https') assert.deepEqual(tls, { version: 'TLSv1.3', cipher });
  assert.equal((await ask('/', 'unknown.example.test')).status, 404, 'an unknown host must be 404');

  await ask('/echo');
  const seen = fieldsOf((await ask('/echo')).body);
  const { 'x-request-start': start = '', 'connection-requests': requests, connection, ...rest } = seen;
  assert.match(start, /^t=\d{10,}(\.\d{3})?$/);
  assert.match(connection ?? '', /^(keep-alive)?$/i);
  assert.ok(Number(requests) > 1, 'the connection to the origin must be kept');
  assert.deepEqual(rest, {
    host: HOST,
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': scheme,
    'x-forwarded-host': HOST,
    'x-forwarded-port': String(port),
    'x-client-ip': '127.0.0.1',
    forwarded: `for=127.0.0.1;proto=${scheme};host="${HOST}"`,
  });
}

/** Fields that /echo saw with a value, less what is the client's own. */
function fieldsOf(body: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const line of body.split('\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (colon < 1 || value === '' || name === 'user-agent') continue;
    fields[name] = fields[name] === undefined ? value : `${fields[name]}, ${value}`;
  }
  return fields;
}

/** One connection, kept alive. */
function client(scheme: 'http' | 'https', port: number, caFile: string): { ask: Ask; close(): void } {
  const keep = { keepAlive: true, maxSockets: 1 };
  const agent =
    scheme === 'http'
      ? new http.Agent(keep)
      : new https.Agent({
          ...keep,
          ca: readFileSync(caFile),
          servername: HOST,
          checkServerIdentity: () => undefined,
        });
  const ask: Ask = (path, host = HOST) =>
    new Promise((resolve, reject) => {
      const headers = { Host: host, 'User-Agent': 'headgear-bench', ...LIES };
      const options = { host: '127.0.0.1', port, path, headers, agent, timeout: 5_000 };
      const asked = (scheme === 'http' ? http : https).request(options, (response) => {
        const socket = response.socket as TLSSocket;
        const tls =
          scheme === 'https' ? { version: socket.getProtocol(), cipher: socket.getCipher().name } : null;
        let body = '';
        response.setEncoding('latin1');
        response.on('data', (piece: string) => {
          body += piece;
        });
        response.once('end', () => resolve({ status: response.statusCode ?? 0, body, tls }));
        response.once('error', reject);
      });
      asked.once('timeout', () => asked.destroy(new Error('no answer within 5 s')));
      asked.once('error', reject);
      asked.end();
    });
  return { ask, close: () => agent.destroy() };
}
