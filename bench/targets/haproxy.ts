/** HAProxy as a reverse proxy: one thread, keep-alive to the origin. It writes its log a line at a time: it has no other way to a file. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPart, requirePart } from '../../test/support/parts.ts';
import { untilConnectable } from '../wait.ts';
import { HOST, portPair, type Scenery, type TargetKind } from './target.ts';

export const haproxy: TargetKind = {
  name: 'haproxy',
  find() {
    const part = findPart('haproxy');
    if ('missing' in part) return part;
    const version = execFileSync(part.path, ['-v'], { encoding: 'utf8' });
    return { title: version.split('\n')[0]?.replace(/ - .*/, '') ?? 'HAProxy' };
  },
  async start(scenery) {
    const { dir, children, certFile, keyFile } = scenery;
    const ports = await portPair();
    const accessLog = join(dir, 'haproxy-access.log');
    const file = join(dir, 'haproxy.cfg');
    const pem = join(dir, 'haproxy.pem');
    writeFileSync(pem, readFileSync(certFile, 'utf8') + readFileSync(keyFile, 'utf8'), { mode: 0o600 });
    writeFileSync(file, configuration(scenery, ports, pem));
    const child = children.start('haproxy', {
      command: requirePart('haproxy'),
      args: ['-db', '-f', file],
      on: 'proxy',
      stdout: accessLog,
    });
    await untilConnectable(ports.httpsPort, child);
    return { name: 'haproxy', child, ...ports, accessLog };
  },
};

function configuration(
  { originPort, ciphers, ciphersuites }: Scenery,
  { httpPort, httpsPort }: { readonly httpPort: number; readonly httpsPort: number },
  pem: string,
): string {
  return `global
  nbthread 1
  maxconn 8192
  log stdout len 4096 format raw local0
  ssl-default-bind-options ssl-min-ver TLSv1.2
  ssl-default-bind-ciphers ${ciphers}
  ssl-default-bind-ciphersuites ${ciphersuites}

defaults
  mode http
  log global
  timeout client 65s
  timeout server 60s
  timeout connect 5s
  timeout http-keep-alive 65s
  http-reuse always

${frontend('http', httpPort, '')}
${frontend('https', httpsPort, `ssl crt ${pem} alpn h2,http/1.1`)}
backend origin
  server origin 127.0.0.1:${originPort}
`;
}

function frontend(scheme: string, port: number, tls: string): string {
  return `frontend ${scheme}
  bind 127.0.0.1:${port} ${tls}
  declare capture request len 256
  declare capture request len 1024
  declare capture request len 1024
  http-request capture req.hdr(Host) id 0
  http-request capture req.hdr(User-Agent) id 1
  http-request capture req.hdr(Referer) id 2
  log-format '%tr %ci %HM %[capture.req.hdr(0)] "%HU" %HV %ST %U %B %Ta %Tr demo/shop %si:%sp 1 %ts "%[capture.req.hdr(1)]" "%[capture.req.hdr(2)]"'
  acl known hdr(Host) -i ${HOST}
  http-request deny deny_status 404 if !known
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Client-IP %[src]
  http-request set-header X-Forwarded-Proto ${scheme}
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Host %[req.hdr(Host)]
  http-request set-header X-Request-Start t=%[date(0,us)]
  http-request set-header Forwarded 'for=%[src];proto=${scheme};host="%[req.hdr(Host)]"'
  http-request del-header X-OpenShift-Host
  http-request del-header X-Forwarded-SSL-Client-Cert
  default_backend origin
`;
}
