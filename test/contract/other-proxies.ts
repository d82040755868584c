/** nginx and HAProxy in front of an origin, configured to change as little as they can: the other oracles of the differential test. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from '../support/child.ts';
import { connectRaw } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { requirePart } from '../support/parts.ts';
import { freePort } from '../support/ports.ts';

export interface OtherProxy {
  readonly port: number;
  stop(): Promise<void>;
}

const nginxConfiguration = (folder: string, port: number, originPort: number) => `daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log stderr crit;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  upstream origin { server 127.0.0.1:${originPort}; keepalive 4; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_ignore_client_abort on;
      proxy_next_upstream off;
    }
  }
}
`;

const haproxyConfiguration = (port: number, originPort: number) => `global
  maxconn 256
defaults
  mode http
  retries 0
  timeout connect 5s
  timeout client 5s
  timeout server 5s
listen all
  bind 127.0.0.1:${port}
  server origin 127.0.0.1:${originPort}
`;

/** Ask `skipWithout` first. */
export async function startOtherProxy(name: 'nginx' | 'haproxy', originPort: number): Promise<OtherProxy> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), `headgear-${name}-`));
  const file = join(folder, 'configuration');
  writeFileSync(
    file,
    name === 'nginx' ? nginxConfiguration(folder, port, originPort) : haproxyConfiguration(port, originPort),
  );
  const args = name === 'nginx' ? ['-p', folder, '-e', 'stderr', '-c', file] : ['-db', '-f', file];
  const child = await startChild(requirePart(name), args, { group: true });
  const stop = async () => {
    await child.end('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually(async () => {
      if (!child.running) throw new Error(`${name} did not start:\n${child.stderr()}`);
      const client = await connectRaw({ port }).catch(() => null);
      client?.destroy();
      return client !== null;
    }, `${name} listening`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop };
}
