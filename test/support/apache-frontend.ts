/**
 * A node frontend: a real Apache, configured as OpenShift's apache-vhost plugin does it (domain.md 4). A virtual host an
 * application or gear, `/health` a static file, everything else by mod_proxy to the gear, an unknown Host redirected to
 * `/getting_started.html`, and the `openshift_log` by which the idler knows who is alive (domain.md 6).
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from './child.ts';
import { connectRaw } from './client.ts';
import { eventually } from './eventually.ts';
import { requirePart } from './parts.ts';

export interface FrontendHost {
  /** ServerName: what the idler takes for the gear's name. */
  readonly name: string;
  /** ServerAlias. */
  readonly aliases?: readonly string[];
  /** Where the gear listens. */
  readonly target: { readonly address: string; readonly port: number };
  /** An alias with a certificate is a virtual host of its own, for https alone. */
  readonly certificates?: readonly {
    readonly alias: string;
    readonly chainPem: string;
    readonly keyPem: string;
  }[];
}

/** A line of the openshift_log. */
export interface FrontendVisit {
  readonly client: string;
  /** ServerName of the virtual host that took the request. */
  readonly vhost: string;
  readonly request: string;
  readonly status: number;
  /** As sent. */
  readonly host: string;
  /** SNI, or null. */
  readonly servername: string | null;
  readonly scheme: 'http' | 'https';
}

export interface ApacheFrontend {
  visits(): readonly FrontendVisit[];
  stop(): Promise<void>;
}

export interface ApacheOptions {
  readonly address: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly hosts: readonly FrontendHost[];
  /** The node's own certificate. */
  readonly certificate: { readonly chainPem: string; readonly keyPem: string };
}

/** Those of them that a distribution compiled in have no file. */
const MODULES = [
  ...['mpm_event', 'unixd', 'authz_core', 'log_config', 'alias', 'headers'],
  ...['proxy', 'proxy_http', 'socache_shmcb', 'ssl'],
];
const MODULE_FOLDERS = ['/usr/lib/apache2/modules', '/usr/lib64/httpd/modules', '/usr/libexec/apache2'];

/** Starts it; resolves when both ports answer. Ask `skipWithout('apache2')` first. */
export async function startApacheFrontend(options: ApacheOptions): Promise<ApacheFrontend> {
  const { address, httpPort, httpsPort } = options;
  const program = requirePart('apache2');
  const folder = mkdtempSync(join(tmpdir(), 'headgear-apache-'));
  // Its workers run as another user where the tests run as root.
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'html'));
  writeFileSync(join(folder, 'html', 'health.txt'), '1\n');
  writeFileSync(join(folder, 'html', 'getting_started.html'), 'Getting started\n');
  const file = join(folder, 'httpd.conf');
  writeFileSync(file, configuration(folder, options));
  const child = await startChild(program, ['-DFOREGROUND', '-d', folder, '-f', file], {
    cwd: folder,
    group: true,
  });
  const stop = async () => {
    await child.end('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  const log = (name: string) => {
    const path = join(folder, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  try {
    for (const port of [httpPort, httpsPort])
      await eventually(
        async () => {
          if (!child.running) throw new Error(`Apache did not start:\n${child.stderr()}${log('error_log')}`);
          const client = await connectRaw({ host: address, port }).catch(() => null);
          client?.destroy();
          return client !== null;
        },
        `Apache at port ${port}`,
        30_000,
      );
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    visits: () => log('openshift_log').split('\n').slice(0, -1).map(visit),
    stop,
  };
}

/** Client and virtual host first, as in OpenShift; the last three are ours. */
const LOG_FORMAT =
  '%h %v %l %u %t \\"%r\\" %>s %b \\"%{Referer}i\\" \\"%{User-Agent}i\\" \\"%{Host}i\\" \\"%{SSL_TLS_SNI}x\\" \\"%{HTTPS}x\\"';

function visit(line: string): FrontendVisit {
  const [client = '', vhost = '', , , , request = '', status = '', , , , host = '', sni = '', https = ''] =
    line.match(/"(?:[^"\\]|\\.)*"|\[[^\]]*\]|\S+/g) ?? [];
  const bare = (quoted: string) => quoted.slice(1, -1);
  return {
    client,
    vhost,
    request: bare(request),
    status: Number(status),
    host: bare(host),
    servername: bare(sni) === '-' ? null : bare(sni),
    scheme: bare(https) === 'on' ? 'https' : 'http',
  };
}

function configuration(folder: string, options: ApacheOptions): string {
  const modules = MODULE_FOLDERS.find((path) => existsSync(path)) ?? '';
  const loaded = MODULES.map((name) => [name, join(modules, `mod_${name}.so`)] as const).filter(([, path]) =>
    existsSync(path),
  );
  const { address, httpPort, httpsPort, hosts } = options;
  const pem = pemWriter(folder);
  const own = pem('node', options.certificate);
  const vhosts = hosts.flatMap((host) => [
    virtualHost(address, httpPort, host, [host.name, ...(host.aliases ?? [])], null),
    virtualHost(address, httpsPort, host, [host.name, ...(host.aliases ?? [])], own),
    ...(host.certificates ?? []).map((certificate) =>
      virtualHost(address, httpsPort, host, [certificate.alias], pem(certificate.alias, certificate)),
    ),
  ]);
  // The first of an address and port gets every name that no other has.
  const unknown = (port: number, tls: readonly string[]) => `<VirtualHost ${address}:${port}>
  ServerName unknown.invalid
  ${tls.join('\n  ')}
  RedirectMatch 302 ^/(?!getting_started\\.html) /getting_started.html
</VirtualHost>`;
  return `ServerRoot ${folder}
PidFile ${folder}/httpd.pid
ServerName ${address}
DocumentRoot ${folder}/html
${loaded.map(([name, path]) => `LoadModule ${name}_module ${path}`).join('\n')}
${process.getuid?.() === 0 ? 'User #65534\nGroup #65534' : ''}
Listen ${address}:${httpPort}
Listen ${address}:${httpsPort} https
StartServers 1
ThreadsPerChild 25
MaxRequestWorkers 50
ErrorLog ${folder}/error_log
LogFormat "${LOG_FORMAT}" openshift
CustomLog ${folder}/openshift_log openshift
ProxyTimeout 300
<Directory ${folder}/html>
  Require all granted
</Directory>
${unknown(httpPort, [])}
${unknown(httpsPort, own)}
${vhosts.join('\n')}
`;
}

function virtualHost(
  address: string,
  port: number,
  { target }: FrontendHost,
  [name, ...aliases]: readonly string[],
  tls: readonly string[] | null,
): string {
  const [proto, publicPort] = tls === null ? ['http', 80] : ['https', 443];
  const lines = [
    `ServerName ${name}`,
    ...aliases.map((alias) => `ServerAlias ${alias}`),
    ...(tls ?? []),
    `RequestHeader set X-Forwarded-Proto "${proto}"`,
    `RequestHeader set X-Forwarded-Port "${publicPort}"`,
    'RequestHeader set X-Client-IP "expr=%{REMOTE_ADDR}"',
    'ProxyPreserveHost On',
    'ProxyPass /health !',
    'Alias /health html/health.txt',
    `ProxyPass / http://${target.address}:${target.port}/`,
  ];
  return `<VirtualHost ${address}:${port}>\n  ${lines.join('\n  ')}\n</VirtualHost>`;
}

/** Writes a pair of files and returns the lines that switch TLS on with them. */
function pemWriter(folder: string) {
  return (name: string, pair: { readonly chainPem: string; readonly keyPem: string }): readonly string[] => {
    const paths = [join(folder, `${name}.crt`), join(folder, `${name}.key`)] as const;
    writeFileSync(paths[0], pair.chainPem);
    writeFileSync(paths[1], pair.keyPem, { mode: 0o600 });
    return ['SSLEngine on', `SSLCertificateFile ${paths[0]}`, `SSLCertificateKeyFile ${paths[1]}`];
  };
}
