/** Bad certificates and poison messages in the middle of good events: each harms nobody else, and an operator sees why it was refused. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { EventReport } from '../../src/control/types.ts';
import { publishBodies } from '../../src/stomp/publish.ts';
import { type ActiveMq, startActiveMq } from '../support/activemq.ts';
import { pemFixture, testCa, testCertificate } from '../support/certificates.ts';
import type { Child } from '../support/child.ts';
import { request } from '../support/client.ts';
import { curl, servedFingerprint } from '../support/curl.ts';
import { eventually } from '../support/eventually.ts';
import { type Gear, startGear } from '../support/gear.ts';
import {
  CLOUD_DOMAIN,
  type HeadgearHome,
  type HeadgearProcess,
  headgearHome,
  PATIENCE_MS,
  startHeadgearCommand,
} from '../support/headgear-process.ts';
import { type LoopingClient, startLoopingClient } from '../support/looping-client.ts';
import { skipWithout } from '../support/parts.ts';
import { addAlias, addEndpoint, addSsl, createApplication, keyOf } from '../support/spi-bodies.ts';
import { rawStomp } from '../support/stomp-client.ts';

const DESTINATION = '/queue/routinginfo';
const good = { appName: 'good', namespace: 'tenant1' };
const other = { appName: 'other', namespace: 'tenant2' };
const ALIAS = 'www.other.test';

interface Quarantine {
  readonly total: number;
  readonly entries: readonly { readonly code: string; readonly app: string | null; readonly at: string }[];
}

describe('bad events', { skip: skipWithout('activemq', 'curl', 'openssl') }, () => {
  let bus: ActiveMq;
  /** By application; an endpoint has one owner. */
  let gears: readonly [Gear, Gear];
  let home: HeadgearHome;
  let headgear: HeadgearProcess;
  let listener: Child;
  let bystander: LoopingClient;

  before(async () => {
    bus = await startActiveMq();
    gears = [await startGear(), await startGear()];
    home = headgearHome({
      bus: {
        hosts: [{ host: '127.0.0.1', port: bus.port }],
        destination: DESTINATION,
        reconnectMaxMs: 1_000,
      },
      keepAwake: { enabled: false },
    });
    headgear = await home.start();
    listener = await startListener();
    const certificate = testCertificate([ALIAS]);
    for (const [n, app] of [good, other].entries()) {
      const port = gears[n]?.port ?? 0;
      await publish(
        createApplication(app),
        addEndpoint(app, { gearId: `65a1f00dc0ffee000000000${n}`, address: '127.0.0.1', port }),
      );
    }
    await publish(
      addAlias(other, ALIAS),
      addSsl(other, ALIAS, { ...certificate, certificatePem: certificate.chainPem }),
    );
    await headgear.untilApp(keyOf(other), (app) => Boolean(app?.aliases[0]?.certificate));
    const host = hostOf(good);
    const tls = { servername: host, ca: testCa().certificatePem };
    bystander = startLoopingClient({ port: headgear.httpsPort, host, tls });
  });
  after(async () => {
    await bystander?.stop();
    await listener?.end('SIGKILL');
    await home?.remove();
    for (const gear of gears ?? []) await gear.stop();
    await bus?.stop();
  });

  const publish = (...bodies: readonly Buffer[]) =>
    publishBodies({
      host: '127.0.0.1',
      port: bus.port,
      destination: DESTINATION,
      bodies,
      persistent: true,
      timeoutMs: PATIENCE_MS,
    });
  const quarantine = async () => (await headgear.admin<Quarantine>('/quarantine')) ?? assert.fail();
  const untilQuarantined = (total: number) =>
    headgear.untilStatus(`${total} in quarantine`, ({ control }) => control.quarantined === total);
  const reports = () =>
    listener
      .stdout()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as EventReport);

  async function startListener(): Promise<Child> {
    const admin = `http://127.0.0.1:${headgear.adminPort}`;
    const child = await startHeadgearCommand(['listen', '--json', '--admin', admin]);
    await eventually(() => child.stderr().includes('connected to'), 'the listener', PATIENCE_MS);
    return child;
  }

  it('with certificates that cannot serve leave the former one in place', async () => {
    const own = testCertificate([ALIAS]);
    const bad = [
      // Somebody else's key; no key at all; encrypted, and no pass phrase came; a DSA key.
      { certificatePem: own.chainPem, privateKeyPem: testCertificate([ALIAS], 2).privateKeyPem },
      { certificatePem: own.chainPem, privateKeyPem: 'nonsense\n' },
      { certificatePem: pemFixture('rsa.crt'), privateKeyPem: pemFixture('rsa-pkcs8-aes256.key') },
      { certificatePem: pemFixture('dsa.crt'), privateKeyPem: pemFixture('dsa.key') },
      { certificatePem: '-----BEGIN CERTIFICATE-----\nAAAA\n', privateKeyPem: own.privateKeyPem },
    ];
    await publish(...bad.map((pair) => addSsl(other, ALIAS, pair)), addAlias(good, 'www.good.test'));
    await headgear.untilApp(keyOf(good), (app) => app?.aliases.length === 1);
    const { total, entries } = await quarantine();
    assert.equal(total, bad.length);
    for (const entry of entries) {
      assert.equal(entry.app, keyOf(other));
      assert.match(entry.code, /^PEM_/);
    }
    assert.equal(new Set(entries.map(({ code }) => code)).size, bad.length, 'a reason each');

    const fingerprint = new X509Certificate(own.certificatePem).fingerprint256;
    assert.equal(await servedFingerprint(headgear.httpsPort, ALIAS), fingerprint);
    const answer = await curl({ host: ALIAS, port: headgear.httpsPort, caFile: home.caFile });
    assert.equal(answer.status, 200);
    const record = (await headgear.untilApp(keyOf(other), (app) => app !== null))?.aliases[0];
    assert.equal(record?.certificate?.fingerprint, fingerprint.replaceAll(':', '').toLowerCase());
    assert.match(record?.refusal?.code ?? '', /^PEM_/);
  });

  it('that are no events end in quarantine, and the next message is applied', async () => {
    const before = (await quarantine()).total;
    const bomb = ['a: &a [x, x]', 'b: &b [*a, *a]', 'c: &c [*b, *b]', 'd: &d [*c, *c]', 'e: [*d, *d]'];
    const manyAliases = Array.from({ length: 40 }, (_, n) => `f${n}: *d\n`).join('');
    const poison = [
      Buffer.from('---\n- not\n- a map\n'),
      Buffer.from('%%% no YAML: ["\n'),
      Buffer.from([0x2d, 0x2d, 0x2d, 0x0a, 0x61, 0x3a, 0x20, 0xff, 0xfe, 0x0a]),
      Buffer.from(`---\n:action: :add_alias\n${bomb.join('\n')}\n${manyAliases}`),
      Buffer.from(`---\n:action: :add_alias\n:pad: ${'x'.repeat(1_100_000)}\n`),
      Buffer.from(
        '---\n:action: :add_public_endpoint\n:app_name: good\n:namespace: tenant1\n:public_port: none\n',
      ),
    ];
    const names = poison.map((_, n) => `www${n}.good.test`);
    await publish(...poison.flatMap((body, n) => [body, addAlias(good, names[n] ?? '')]));
    await headgear.untilApp(keyOf(good), (app) => app?.aliases.length === 1 + poison.length);
    await untilQuarantined(before + poison.length);
    for (const host of names)
      assert.equal((await request({ port: headgear.httpPort, host })).status, 200, host);
  });

  it('whose headers stompit cannot read do not stop the subscription', async () => {
    const before = (await quarantine()).total;
    const client = await rawStomp(bus.port, 'CONNECT\naccept-version:1.2\nhost:x\n\n\0');
    await client.frame(1);
    const many = Array.from({ length: 90 }, (_, n) => `x-${n}:1\n`).join('');
    for (const [n, headers] of [many, `x-long:${'y'.repeat(4_000)}\n`].entries())
      client.write(`SEND\ndestination:${DESTINATION}\npersistent:true\nreceipt:${n}\n${headers}\nno event\0`);
    await client.frame(3);
    client.socket.destroy();
    await publish(addAlias(good, 'last.good.test'));
    await headgear.untilApp(
      keyOf(good),
      (app) => app?.aliases.some(({ alias }) => alias === 'last.good.test') ?? false,
    );
    await untilQuarantined(before + 2);
  });

  it('of unknown action are ignored: other plugins may share the destination', async () => {
    const before = (await quarantine()).total;
    await publish(
      Buffer.from('---\n:action: :register_gear\n:app_name: good\n:namespace: tenant1\n'),
      addAlias(good, 'after.good.test'),
    );
    await headgear.untilApp(
      keyOf(good),
      (app) => app?.aliases.some(({ alias }) => alias === 'after.good.test') ?? false,
    );
    assert.equal((await quarantine()).total, before);
  });

  it('are shown by `headgear listen --json`, with what became of them and without any key', async () => {
    const last = await eventually(
      () => reports().find(({ subject }) => subject === 'after.good.test'),
      'the last event',
      PATIENCE_MS,
    );
    assert.equal(last.outcome, 'applied');
    const seen = reports();
    assert.deepEqual(
      seen.map(({ number }) => number),
      seen.map((_, n) => (seen[0]?.number ?? 0) + n),
      'none is missing',
    );
    const count = (outcome: EventReport['outcome']) => seen.filter((one) => one.outcome === outcome).length;
    assert.equal(count('quarantined'), (await quarantine()).total);
    assert.equal(count('ignored'), 1);
    const shown = [
      listener.stdout(),
      headgear.child.stderr(),
      headgear.child.stdout(),
      await headgear.adminText('/quarantine'),
      await headgear.adminText('/table'),
    ].join('\n');
    for (const pem of [testCertificate([ALIAS]), testCertificate([ALIAS], 2)].map((one) => one.privateKeyPem))
      for (const line of pem.split('\n').slice(1, -2)) assert.ok(!shown.includes(line), 'key material');
  });

  it('are still refused, and shown, after a restart', async () => {
    const { total } = await quarantine();
    await bystander.stop();
    assert.ok(bystander.answered > 0);
    assert.deepEqual(bystander.failures, [], 'the other tenant noticed nothing of all this');
    assert.equal(await headgear.stop(), 0);
    headgear = await home.start();
    assert.equal((await quarantine()).total, total);
    const fingerprint = new X509Certificate(testCertificate([ALIAS]).certificatePem).fingerprint256;
    assert.equal(await servedFingerprint(headgear.httpsPort, ALIAS), fingerprint);
  });
});

function hostOf({ appName, namespace }: typeof good): string {
  return `${appName}-${namespace}.${CLOUD_DOMAIN}`;
}
