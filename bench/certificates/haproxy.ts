/** HAProxy with a folder of certificates, changed through its runtime API. */
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { requirePart } from '../../test/support/parts.ts';
import { freePort } from '../../test/support/ports.ts';
import type { Holder, HolderScenery } from './holder.ts';
import { untilServing } from './until-serving.ts';

export async function startHaproxyHolder({ dir, children, certificates }: HolderScenery): Promise<Holder> {
  const port = await freePort();
  const folder = join(dir, 'haproxy-certificates');
  mkdirSync(folder);
  for (const { name, certificatePem, privateKeyPem } of certificates) {
    writeFileSync(join(folder, `${name}.pem`), certificatePem + privateKeyPem, { mode: 0o600 });
  }
  const socket = join(dir, 'haproxy-certificates.sock');
  const file = join(dir, 'haproxy-certificates.cfg');
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn 4096
  stats socket ${socket} level admin
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout client 65s
  timeout server 60s
  timeout connect 5s
frontend certificates
  bind 127.0.0.1:${port} ssl crt ${folder} ssl-min-ver TLSv1.2
  http-request return status 404
`,
  );
  const begun = performance.now();
  const child = children.start('haproxy-certificates', {
    command: requirePart('haproxy'),
    args: ['-db', '-f', file],
    on: 'proxy',
  });
  await untilServing(port, certificates, child);
  return {
    ...{ name: 'HAProxy', child, port, startMs: performance.now() - begun, updateBy: 'runtime API' },
    async update({ name, certificatePem, privateKeyPem }) {
      const path = join(folder, `${name}.pem`);
      await command(socket, `set ssl cert ${path} <<\n${certificatePem}${privateKeyPem}\n`);
      await command(socket, `commit ssl cert ${path}\n`);
    },
  };
}

async function command(path: string, text: string): Promise<void> {
  const socket = connect(path);
  socket.resume();
  socket.write(text);
  await once(socket, 'close');
}
