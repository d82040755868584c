/** Caddy as a reverse proxy: one Go processor, keep-alive to the origin. It writes its log (JSON) a line at a time. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPart, requirePart } from '../../test/support/parts.ts';
import { untilConnectable } from '../wait.ts';
import { HOST, KEPT_TO_ORIGIN, portPair, type Scenery, type TargetKind } from './target.ts';

export const caddy: TargetKind = {
  name: 'caddy',
  find() {
    const part = findPart('caddy');
    if ('missing' in part) return part;
    const version = execFileSync(part.path, ['version'], { encoding: 'utf8' });
    return { title: `Caddy ${version.split(' ')[0]?.trim() ?? ''}` };
  },
  async start(scenery) {
    const { dir, children } = scenery;
    const ports = await portPair();
    const accessLog = join(dir, 'caddy-access.log');
    const file = join(dir, 'caddy.conf');
    writeFileSync(file, configuration(scenery, ports, accessLog));
    writeFileSync(accessLog, '');
    const child = children.start('caddy', {
      command: requirePart('caddy'),
      args: ['run', '--adapter', 'caddyfile', '--config', file],
      on: 'proxy',
      env: { GOMAXPROCS: '1', XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir },
    });
    await untilConnectable(ports.httpsPort, child);
    return { name: 'caddy', child, ...ports, accessLog };
  },
};

function configuration(
  { originPort, certFile, keyFile }: Scenery,
  { httpPort, httpsPort }: { readonly httpPort: number; readonly httpsPort: number },
  accessLog: string,
): string {
  const log = `log {
    output file ${accessLog} {
      roll_disabled
    }
  }`;
  const site = (scheme: string, port: number, tls: string): string => `
${scheme}://${HOST}:${port} {
  bind 127.0.0.1
  ${tls}
  ${log}
  reverse_proxy 127.0.0.1:${originPort} {
    header_up X-Forwarded-For {remote_host}
    header_up X-Client-IP {remote_host}
    header_up X-Forwarded-Proto {scheme}
    header_up X-Forwarded-Port ${port}
    header_up X-Forwarded-Host {hostport}
    header_up X-Request-Start t={time.now.unix_ms}
    header_up Forwarded "for={remote_host};proto={scheme};host=\\"{hostport}\\""
    header_up -X-OpenShift-Host
    header_up -X-Forwarded-SSL-Client-Cert
    transport http {
      compression off
      keepalive 8s
      keepalive_idle_conns ${KEPT_TO_ORIGIN}
      keepalive_idle_conns_per_host ${KEPT_TO_ORIGIN}
    }
  }
}
${scheme}://:${port} {
  bind 127.0.0.1
  ${tls}
  ${log}
  respond 404
}
`;
  return `{
  admin off
  auto_https off
  servers {
    protocols h1 h2
    timeouts {
      idle 65s
    }
  }
  log {
    level WARN
  }
}
${site('http', httpPort, '')}${site('https', httpsPort, `tls ${certFile} ${keyFile}`)}`;
}
