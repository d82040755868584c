/** The origin behind all targets: nginx where installed, else a small socket server, each answering 1 KiB, and at /echo what it was asked. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPart } from '../test/support/parts.ts';
import { freePort } from '../test/support/ports.ts';
import type { Children } from './children.ts';
import { nginxBasics } from './targets/nginx.ts';
import { untilConnectable } from './wait.ts';

/** What `/` answers: 1 KiB. */
export const ORIGIN_BODY = 'All heads wear the same hat. '.repeat(36).slice(0, 1_023).concat('\n');

/** Request fields that /echo gives back, a line each, and how many requests its connection has carried, as `connection-requests`. */
const ECHOED = [
  'host',
  'connection',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-client-ip',
  'x-request-start',
  'forwarded',
  'x-openshift-host',
  'x-forwarded-ssl-client-cert',
] as const;

export interface Origin {
  readonly port: number;
  /** For the report. */
  readonly title: string;
}

/** Starts the origin and waits until it listens. */
export async function startOrigin(children: Children, dir: string): Promise<Origin> {
  const port = await freePort();
  const nginx = findPart('nginx');
  if ('path' in nginx) {
    const file = join(dir, 'origin.conf');
    writeFileSync(file, nginxOrigin(dir, port));
    const child = children.start('origin', {
      command: nginx.path,
      args: ['-e', join(dir, 'origin.err'), '-c', file],
      on: 'rest',
    });
    await untilConnectable(port, child);
    return { port, title: 'nginx (static 1 KiB)' };
  }
  const script = fileURLToPath(new URL('./origin-server.js', import.meta.url));
  const child = children.start('origin', {
    command: process.execPath,
    args: [script, String(port)],
    on: 'rest',
  });
  await untilConnectable(port, child);
  return { port, title: `a socket server on node:net (${'missing' in nginx ? nginx.missing : ''})` };
}

function nginxOrigin(dir: string, port: number): string {
  const echo = ECHOED.map((name) => `${name}: $http_${name.replaceAll('-', '_')}\\n`).join('');
  return `${nginxBasics(dir, 'origin')}
http {
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
  access_log off;
  default_type text/plain;
  server {
    listen 127.0.0.1:${port};
    location = /echo { return 200 "${echo}connection-requests: $connection_requests\\n"; }
    location / { return 200 "${ORIGIN_BODY.trimEnd()}\\n"; }
  }
}
`;
}
