/** Requests by the real curl, as an operator would make them: by name, over TLS with SNI, with the CA verified. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { startChild } from './child.ts';
import { requirePart } from './parts.ts';

export interface CurlAnswer {
  readonly status: number;
  /** Flat name, value, name, value ... */
  readonly rawHeaders: readonly string[];
  readonly body: string;
  /** What `-v` says: connection, TLS, certificate. */
  readonly verbose: string;
}

/** One request to `https://host:port/path` (or http) at 127.0.0.1; rejects when curl fails. */
export async function curl(options: {
  readonly scheme?: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly path?: string;
  /** What is trusted; needed for https. */
  readonly caFile?: string;
  readonly args?: readonly string[];
}): Promise<CurlAnswer> {
  const { scheme = 'https', host, port, path = '/', caFile, args = [] } = options;
  const child = await startChild(requirePart('curl'), [
    ...['--no-progress-meter', '--verbose', '--include', '--http1.1', '--max-time', '30', '--noproxy', '*'],
    ...['--resolve', `${host}:${port}:127.0.0.1`],
    ...(caFile === undefined ? [] : ['--cacert', caFile]),
    ...args,
    `${scheme}://${host}:${port}${path}`,
  ]);
  const code = await child.ended;
  assert.equal(code, 0, `curl failed:\n${child.stderr()}`);
  return { ...parsed(child.stdout()), verbose: child.stderr() };
}

function parsed(text: string): Omit<CurlAnswer, 'verbose'> {
  const end = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...fields] = text.slice(0, end).split('\r\n');
  const rawHeaders = fields.flatMap((field) => {
    const colon = field.indexOf(':');
    return [field.slice(0, colon), field.slice(colon + 1).trim()];
  });
  return { status: Number(statusLine.split(' ')[1]), rawHeaders, body: text.slice(end + 4) };
}

/** SHA-256 fingerprint (`AA:BB:...`) of the certificate that a handshake for this name gets, by `openssl s_client`. */
export async function servedFingerprint(port: number, servername: string): Promise<string> {
  const openssl = requirePart('openssl');
  const script = 'exec "$1" s_client -connect "127.0.0.1:$2" -servername "$3" </dev/null';
  const session = await startChild('sh', ['-c', script, 'sh', openssl, String(port), servername]);
  await session.ended;
  const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(session.stdout())?.[0];
  assert.ok(pem !== undefined, `no certificate for ${servername}:\n${session.stderr()}`);
  return new X509Certificate(pem).fingerprint256;
}
