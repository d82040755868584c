/** nginx as a reverse proxy: one worker, keep-alive to the origin, the access log gathered like Headgear's. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { findPart, requirePart } from '../../test/support/parts.ts';
import { untilConnectable } from '../wait.ts';
import { HOST, KEPT_TO_ORIGIN, portPair, type Scenery, type TargetKind } from './target.ts';

export const nginx: TargetKind = {
  name: 'nginx',
  find() {
    const part = findPart('nginx');
    if ('missing' in part) return part;
    // It prints its version to standard error, and nothing else tells.
    const version = execFileSync('sh', ['-c', `"${part.path}" -v 2>&1`], { encoding: 'utf8' });
    return { title: version.replace(/^nginx version: /, '').trim() };
  },
  async start(scenery) {
    const { dir, children } = scenery;
    const ports = await portPair();
    const accessLog = join(dir, 'nginx-access.log');
    const file = join(dir, 'nginx.conf');
    writeFileSync(file, configuration(scenery, ports, accessLog));
    const child = children.start('nginx', {
      command: requirePart('nginx'),
      args: ['-e', join(dir, 'nginx.err'), '-c', file],
      on: 'proxy',
    });
    await untilConnectable(ports.httpsPort, child);
    return { name: 'nginx', child, ...ports, accessLog };
  },
};

/** What any nginx of ours begins with: one worker, in the foreground, no file outside of `dir`. */
export function nginxBasics(dir: string, name: string): string {
  const user = process.getuid?.() === 0 ? `user ${userInfo().username};\n` : '';
  return `${user}daemon off;
worker_processes 1;
pid ${join(dir, `${name}.pid`)};
error_log ${join(dir, `${name}.err`)};
events { worker_connections 8192; }`;
}

/** Its temporary files, in `dir` too. */
export function nginxTemporaryPaths(dir: string, name: string): string {
  return ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `  ${kind}_temp_path ${join(dir, `${name}-${kind}`)};`)
    .join('\n');
}

function configuration(
  { dir, originPort, certFile, keyFile, ciphers, ciphersuites }: Scenery,
  { httpPort, httpsPort }: { readonly httpPort: number; readonly httpsPort: number },
  accessLog: string,
): string {
  return `${nginxBasics(dir, 'nginx')}
http {
${nginxTemporaryPaths(dir, 'nginx')}
  server_tokens off;
  client_max_body_size 0;
  # Bodies stream through, as they do in all targets; never to a file.
  proxy_request_buffering off;
  proxy_max_temp_file_size 0;
  keepalive_timeout 65s;
  keepalive_requests 1000000;
  log_format headgear '$time_iso8601 $remote_addr $request_method $host "$request_uri" $server_protocol $status '
    '$request_length $body_bytes_sent $request_time $upstream_header_time demo/shop $upstream_addr 1 - '
    '"$http_user_agent" "$http_referer"';
  access_log ${accessLog} headgear buffer=16k flush=200ms;
  map $http_upgrade $connection_field {
    default upgrade;
    '' '';
  }
  upstream origin {
    server 127.0.0.1:${originPort};
    keepalive ${KEPT_TO_ORIGIN};
    keepalive_requests 1000000000;
    keepalive_timeout 8s;
  }
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_ciphers ${ciphers};
  ssl_conf_command Ciphersuites ${ciphersuites};
  ssl_prefer_server_ciphers on;
  ssl_certificate ${certFile};
  ssl_certificate_key ${keyFile};
  server {
    listen 127.0.0.1:${httpPort} default_server;
    listen 127.0.0.1:${httpsPort} ssl http2 default_server;
    return 404;
  }
  server {
    listen 127.0.0.1:${httpPort};
    listen 127.0.0.1:${httpsPort} ssl http2;
    server_name ${HOST};
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_field;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Client-IP $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Port $server_port;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Request-Start "t=$msec";
      proxy_set_header Forwarded 'for=$remote_addr;proto=$scheme;host="$http_host"';
      proxy_set_header X-OpenShift-Host "";
      proxy_set_header X-Forwarded-SSL-Client-Cert "";
    }
  }
}
`;
}
