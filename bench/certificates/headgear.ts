/** Headgear with an alias a certificate, taken in by routing events, then started anew from its store. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addAlias, addSsl, createApplication, type SampleApp } from '../../src/sample/sample-events.ts';
import { publishBodies } from '../../src/stomp/publish.ts';
import { freePort } from '../../test/support/ports.ts';
import type { MadeCertificate } from '../certificate-maker.ts';
import type { Child } from '../children.ts';
import { untilConnectable } from '../wait.ts';
import type { Holder, HolderScenery } from './holder.ts';
import { untilServing } from './until-serving.ts';

const ALIASES_AN_APPLICATION = 100;

export interface HeadgearHolder extends Holder {
  /** From the first event sent to the last certificate served, in ms. */
  readonly intakeMs: number;
}

export async function startHeadgearHolder(scenery: HolderScenery): Promise<HeadgearHolder> {
  const { dir, children, certificates } = scenery;
  const [port, intakePort, adminPort] = [await freePort(), await freePort(), await freePort()];
  const host = '127.0.0.1';
  const [certFile, keyFile] = [join(dir, 'wildcard.pem'), join(dir, 'wildcard.key')];
  const [platform] = certificates;
  if (platform === undefined) throw new Error('no certificates');
  writeFileSync(certFile, platform.certificatePem);
  writeFileSync(keyFile, platform.privateKeyPem, { mode: 0o600 });
  const file = join(dir, 'headgear-certificates.json');
  writeFileSync(
    file,
    JSON.stringify({
      cloudDomain: 'apps.example.test',
      listeners: { https: [{ host, port }] },
      admin: { host, port: adminPort },
      intake: { host, port: intakePort },
      stateDir: join(dir, 'headgear-certificates-state'),
      tls: { certificates: [{ certFile, keyFile }] },
      keepAwake: { enabled: false },
      log: { file: join(dir, 'headgear-certificates.log') },
      accessLog: { file: 'off' },
    }),
  );
  const run = (): Child =>
    children.start('headgear-certificates', {
      command: process.execPath,
      args: [fileURLToPath(new URL('../../src/main.js', import.meta.url)), 'run', '--config', file],
      on: 'proxy',
    });
  const publish = async (bodies: Iterable<Buffer>): Promise<void> =>
    void (await publishBodies({
      ...{ host, port: intakePort, destination: '/queue/routinginfo', bodies, persistent: true },
      timeoutMs: 120_000,
    }));

  const first = run();
  await untilConnectable(intakePort, first);
  const sent = performance.now();
  await publish(bodiesOf(certificates));
  await untilServing(port, certificates, first);
  const intakeMs = performance.now() - sent;
  const gone = once(first.process, 'exit');
  first.process.kill('SIGTERM');
  await gone;

  const begun = performance.now();
  const child = run();
  await untilServing(port, certificates, child);
  const startMs = performance.now() - begun;
  await untilConnectable(intakePort, child);
  const places = new Map(certificates.map(({ name }, place) => [name, place]));
  return {
    ...{ name: 'Headgear', child, port, startMs, intakeMs, updateBy: 'routing event' },
    async update(certificate) {
      await publish([sslOf(certificate, places.get(certificate.name) ?? 0)]);
    },
  };
}

function* bodiesOf(certificates: readonly MadeCertificate[]): Iterable<Buffer> {
  for (const [place, certificate] of certificates.entries()) {
    const app = appOf(place);
    if (place % ALIASES_AN_APPLICATION === 0) yield createApplication(app);
    yield addAlias(app, certificate.name);
    yield sslOf(certificate, place);
  }
}

function sslOf(certificate: MadeCertificate, place: number): Buffer {
  return addSsl(appOf(place), certificate.name, certificate);
}

function appOf(place: number): SampleApp {
  return { appName: `shop${Math.floor(place / ALIASES_AN_APPLICATION)}`, namespace: 'demo' };
}
