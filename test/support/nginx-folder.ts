/** The routing daemon as far as its nginx folder goes: files named and filled as it does (domain.md 2.2). */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface NginxFolder {
  readonly dir: string;
  /** Members as `address:port`; without any the file is empty, as that of a new pool is. */
  pool(name: string, members: readonly string[]): void;
  alias(
    pool: string,
    host: string,
    certificate?: { readonly chainPem: string; readonly privateKeyPem: string },
  ): void;
  file(name: string, text: string): void;
  remove(): void;
}

export function nginxFolder(): NginxFolder {
  const dir = mkdtempSync(join(tmpdir(), 'headgear-confdir-'));
  const file = (name: string, text: string): void => writeFileSync(join(dir, name), text);
  const server = (host: string, pool: string, lines: readonly string[]): string =>
    [
      'server {',
      ...lines.map((line) => `  ${line}`),
      `  server_name ${host};`,
      '  location / {',
      `    proxy_pass http://${pool};`,
      '    proxy_set_header Host $host;',
      '  }',
      '}',
      '',
    ].join('\n');
  file(
    'server.conf',
    'server {\n  listen 80 default_server;\n  server_name _;\n  location / {\n    return 404;\n  }\n}\n',
  );
  return {
    dir,
    file,
    pool(name, members) {
      const lines = members.map((member) => `\n  server ${member};\n`).join('');
      file(`${name}.conf`, members.length === 0 ? '' : `\nupstream ${name} {\n\n ${lines}\n}\n`);
    },
    alias(pool, host, certificate) {
      const [cert, key] = [join(dir, `${host}.crt`), join(dir, `${host}.key`)];
      const tls =
        certificate === undefined
          ? ['#ssl_certificate_template', '#ssl_certificate_key_template']
          : [`ssl_certificate ${cert};`, `ssl_certificate_key ${key};`];
      if (certificate !== undefined) {
        writeFileSync(cert, certificate.chainPem);
        writeFileSync(key, certificate.privateKeyPem);
      }
      file(
        `alias_${pool}_${host}.conf`,
        `\n${server(host, pool, ['listen 80;'])}\n${server(host, pool, ['listen 443 ssl;', ...tls])}`,
      );
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}
