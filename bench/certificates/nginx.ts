/** nginx with a server block a certificate. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requirePart } from '../../test/support/parts.ts';
import { freePort } from '../../test/support/ports.ts';
import type { MadeCertificate } from '../certificate-maker.ts';
import { nginxBasics, nginxTemporaryPaths } from '../targets/nginx.ts';
import type { Holder, HolderScenery } from './holder.ts';
import { untilServing } from './until-serving.ts';

export async function startNginxHolder({ dir, children, certificates }: HolderScenery): Promise<Holder> {
  const port = await freePort();
  const folder = join(dir, 'nginx-certificates');
  mkdirSync(folder);
  const put = ({ name, certificatePem, privateKeyPem }: MadeCertificate): void => {
    writeFileSync(join(folder, `${name}.pem`), certificatePem + privateKeyPem, { mode: 0o600 });
  };
  for (const certificate of certificates) put(certificate);
  const blocks = certificates.map(({ name }) => {
    const file = join(folder, `${name}.pem`);
    return `server { listen 127.0.0.1:${port} ssl; server_name ${name}; ssl_certificate ${file}; ssl_certificate_key ${file}; return 404; }`;
  });
  const file = join(dir, 'nginx-certificates.conf');
  writeFileSync(
    file,
    `${nginxBasics(dir, 'nginx-certificates')}
http {
${nginxTemporaryPaths(dir, 'nginx-certificates')}
  access_log off;
  server_names_hash_max_size 262144;
  server_names_hash_bucket_size 128;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_tickets on;
${blocks.join('\n')}
}
`,
  );
  const begun = performance.now();
  const child = children.start('nginx-certificates', {
    command: requirePart('nginx'),
    args: ['-e', join(dir, 'nginx-certificates.err'), '-c', file],
    on: 'proxy',
  });
  await untilServing(port, certificates, child);
  return {
    ...{ name: 'nginx', child, port, startMs: performance.now() - begun, updateBy: 'file and reload' },
    async update(certificate) {
      put(certificate);
      child.process.kill('SIGHUP');
    },
  };
}
