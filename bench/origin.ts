/**
 * The origin behind all targets: nginx where installed, and behind it a server on node:http for what nginx cannot do; without nginx that one alone.
 * `/`, `/64k`, `/10m` are bodies, `/echo` tells what was asked, `/sink` reads an upload, `/digest` hashes one, `/ws` echoes messages, `/requests` counts requests.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPart } from '../test/support/parts.ts';
import { freePort } from '../test/support/ports.ts';
import type { Children } from './children.ts';
import { BODIES, ORIGIN_BODY } from './origin-bodies.ts';
import { nginxBasics, nginxTemporaryPaths } from './targets/nginx.ts';
import { untilConnectable } from './wait.ts';

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
  /** How many requests it has seen so far; null where it does not count. */
  requests(): Promise<number | null>;
}

/** Starts the origin and waits until it listens. */
export async function startOrigin(children: Children, dir: string): Promise<Origin> {
  const helperPort = await freePort();
  const script = fileURLToPath(new URL('./origin-server.js', import.meta.url));
  const helper = children.start('origin-helper', {
    command: process.execPath,
    args: [script, String(helperPort)],
    on: 'rest',
  });
  await untilConnectable(helperPort, helper);
  const nginx = findPart('nginx');
  if ('missing' in nginx)
    return {
      port: helperPort,
      title: `a server on node:http (nginx as origin ${nginx.missing})`,
      requests: () => requestsSeen(helperPort),
    };
  const port = await freePort();
  const file = join(dir, 'origin.conf');
  const folder = join(dir, 'origin-bodies');
  mkdirSync(folder);
  for (const [path, body] of BODIES) writeFileSync(join(folder, path), body);
  const status = hasStatus(nginx.path) ? 'location = /requests { stub_status; }' : '';
  writeFileSync(file, nginxOrigin(dir, folder, status, { port, helperPort }));
  const child = children.start('origin', {
    command: nginx.path,
    args: ['-e', join(dir, 'origin.err'), '-c', file],
    on: 'rest',
  });
  await untilConnectable(port, child);
  return { port, title: 'nginx (static bodies)', requests: () => requestsSeen(port) };
}

/** The last of three numbers that stub_status puts on a line of their own. */
async function requestsSeen(port: number): Promise<number | null> {
  const response = await fetch(`http://127.0.0.1:${port}/requests`);
  const counted = /^ *\d+ \d+ (\d+) *$/m.exec(await response.text());
  return response.ok && counted !== null ? Number(counted[1]) : null;
}

/** A module that a build of nginx may lack. */
function hasStatus(nginx: string): boolean {
  return execFileSync('sh', ['-c', `"${nginx}" -V 2>&1`], { encoding: 'utf8' }).includes('stub_status');
}

function nginxOrigin(
  dir: string,
  folder: string,
  status: string,
  { port, helperPort }: { readonly port: number; readonly helperPort: number },
): string {
  const echo = ECHOED.map((name) => `${name}: $http_${name.replaceAll('-', '_')}\\n`).join('');
  return `${nginxBasics(dir, 'origin')}
http {
${nginxTemporaryPaths(dir, 'origin')}
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
  access_log off;
  default_type text/plain;
  sendfile on;
  open_file_cache max=16;
  client_max_body_size 0;
  upstream itself {
    server 127.0.0.1:${port};
    keepalive 64;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port};
    root ${folder};
    location = /echo { return 200 "${echo}connection-requests: $connection_requests\\n"; }
    location = / { return 200 "${ORIGIN_BODY.trimEnd()}\\n"; }
    ${status}
    location = /64k { }
    location = /10m { }
    location = /ok { return 200 "ok\\n"; }
    # The whole upload into memory, and only then an answer: \`return\` would answer at once.
    location = /sink {
      client_body_buffer_size 10m;
      proxy_pass http://itself/ok;
      proxy_pass_request_body off;
      proxy_http_version 1.1;
      proxy_set_header Content-Length "";
      proxy_set_header Connection "";
    }
    location = /digest {
      proxy_pass http://127.0.0.1:${helperPort};
    }
    location = /ws {
      proxy_pass http://127.0.0.1:${helperPort};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      tcp_nodelay on;
    }
  }
}
`;
}
