/** `openssl s_client` against a running Headgear, and certificates that only the openssl command can make. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startChild } from './child.ts';
import { requirePart } from './parts.ts';

/** One request with s_client to its end; everything that it printed. A handshake that fails is no error here. */
export async function opensslVisit(port: number, servername: string, ...args: string[]): Promise<string> {
  const request = `GET / HTTP/1.1\\r\\nHost: ${servername}\\r\\nConnection: close\\r\\n\\r\\n`;
  const script = 'request=$1; shift; printf "$request" | exec "$@"';
  const client = await startChild('sh', [
    ...['-c', script, 'sh', request, requirePart('openssl'), 's_client', '-ign_eof'],
    ...['-connect', `127.0.0.1:${port}`, '-servername', servername, ...args],
  ]);
  await client.ended;
  return client.stdout() + client.stderr();
}

export interface OpensslCa {
  readonly caFile: string;
  /** A leaf with these extensions (openssl.cnf lines), P-256; its chain and key as files. */
  issue(name: string, extensions: readonly string[]): { readonly certFile: string; readonly keyFile: string };
  /** Serves its status, good for every leaf issued so far, until `stop`. */
  startResponder(port: number): Promise<{ stop(): Promise<unknown> }>;
}

/** A CA in `folder`. */
export function opensslCa(folder: string): OpensslCa {
  const openssl = (...args: string[]) =>
    execFileSync(requirePart('openssl'), args, { cwd: folder, stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ocsp-ca.key',
    '-out',
    'ocsp-ca.pem',
    '-subj',
    '/CN=OCSP CA',
    '-days',
    '30',
  );
  const index: string[] = [];
  return {
    caFile: join(folder, 'ocsp-ca.pem'),
    issue(name, extensions) {
      const serial = 0x5001 + index.length;
      const [certFile, keyFile] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
      openssl('req', '-new', ...newKey, '-keyout', keyFile, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
      writeFileSync(join(folder, `${name}.ext`), `${extensions.join('\n')}\n`);
      const signed = openssl(
        ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ocsp-ca.pem', '-CAkey', 'ocsp-ca.key'],
        ...['-set_serial', String(serial), '-days', '30', '-extfile', `${name}.ext`],
      );
      writeFileSync(certFile, Buffer.concat([signed, openssl('x509', '-in', 'ocsp-ca.pem')]));
      index.push(`V\t400101000000Z\t\t${serial.toString(16).toUpperCase()}\tunknown\t/CN=${name}\n`);
      return { certFile, keyFile };
    },
    async startResponder(port) {
      writeFileSync(join(folder, 'index.txt'), index.join(''));
      const responder = await startChild(
        requirePart('openssl'),
        [
          ...['ocsp', '-port', String(port), '-index', 'index.txt', '-CA', 'ocsp-ca.pem'],
          ...['-rsigner', 'ocsp-ca.pem', '-rkey', 'ocsp-ca.key', '-nmin', '60'],
        ],
        { cwd: folder },
      );
      return { stop: () => responder.end('SIGKILL') };
    },
  };
}
