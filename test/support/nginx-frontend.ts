/** A node frontend with TLS: a real nginx, a server a name, each with its own certificate, every connection for one request. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from './child.ts';
import { connectRaw } from './client.ts';
import { eventually } from './eventually.ts';
import { requirePart } from './parts.ts';
import { freePort } from './ports.ts';

export interface NginxName {
  readonly name: string;
  readonly chainPem: string;
  readonly keyPem: string;
}

/** A line of its log. */
export interface NginxVisit {
  readonly host: string;
  /** SNI. */
  readonly servername: string;
  /** The handshake took up an earlier session. */
  readonly resumed: boolean;
  readonly protocol: string;
  readonly request: string;
}

export interface NginxFrontend {
  readonly port: number;
  visits(): readonly NginxVisit[];
  stop(): Promise<void>;
}

export interface NginxOptions {
  readonly names: readonly NginxName[];
  /** HTTP/2 on the port as well. */
  readonly http2?: boolean;
  /** Requests on one connection; default 1. */
  readonly requestsPerConnection?: number;
}

/** Starts it; resolves when it listens. Ask `skipWithout('nginx')` first. */
export async function startNginxFrontend(options: NginxOptions): Promise<NginxFrontend> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'headgear-nginx-'));
  // Its workers run as another user where the tests run as root.
  chmodSync(folder, 0o755);
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration(folder, port, options));
  const child = await startChild(requirePart('nginx'), ['-p', folder, '-e', 'stderr', '-c', file], {
    group: true,
  });
  const stop = async () => {
    await child.end('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually(async () => {
      if (!child.running) throw new Error(`nginx did not start:\n${child.stderr()}`);
      const client = await connectRaw({ port }).catch(() => null);
      client?.destroy();
      return client !== null;
    }, 'nginx listening');
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    visits: () =>
      readFileSync(join(folder, 'visits'), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => {
          const [host = '', servername = '', resumed, protocol = '', ...request] = line.split(' ');
          return { host, servername, resumed: resumed === 'r', protocol, request: request.join(' ') };
        }),
    stop,
  };
}

function configuration(folder: string, port: number, options: NginxOptions): string {
  const servers = options.names.map(({ name, chainPem, keyPem }, n) => {
    writeFileSync(join(folder, `${n}.crt`), chainPem);
    writeFileSync(join(folder, `${n}.key`), keyPem);
    return `  server {
    listen 127.0.0.1:${port} ssl${options.http2 === true ? ' http2' : ''};
    server_name ${name};
    ssl_certificate ${folder}/${n}.crt;
    ssl_certificate_key ${folder}/${n}.key;
    location / { return 200 "$host by nginx\\n"; }
  }`;
  });
  return `daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log stderr crit;
events { worker_connections 256; }
http {
  log_format visit '$host $ssl_server_name $ssl_session_reused $server_protocol $request';
  access_log ${folder}/visits visit;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests ${options.requestsPerConnection ?? 1};
  ssl_session_cache shared:visits:1m;
  ssl_session_tickets on;
${servers.join('\n')}
}
`;
}
