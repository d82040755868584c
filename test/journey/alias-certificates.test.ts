/** Scenarios 39 to 43 of domain.md 10, from routing event to handshake, with the real program. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { TLSSocket } from 'node:tls';
import type { CertificateView } from '../../src/control/certificate-view.ts';
import { issueCertificate } from '../../src/pem/development.ts';
import { publishBodies } from '../../src/stomp/publish.ts';
import type { AppView } from '../../src/table/describe.ts';
import { pemFixture, testCa, testCertificate } from '../support/certificates.ts';
import { connectRaw } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import {
  type HeadgearHome,
  type HeadgearProcess,
  headgearHome,
  PATIENCE_MS,
} from '../support/headgear-process.ts';
import { addAlias, addSsl, createApplication, keyOf, removeAlias, removeSsl } from '../support/spi-bodies.ts';

const app = { appName: 'shop', namespace: 'tenant' };
const bystander = 'www.bystander.test';
const PASS = 'open sesame';
const DAY_MS = 86_400_000;
const intake = { intake: { port: 0 }, keepAwake: { enabled: false }, table: { certificateGraceMs: 0 } };

interface Pair {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly passPhrase?: string;
}

const pairFor = (name: string, edition = 1): Pair => {
  const { chainPem, privateKeyPem } = testCertificate([name], edition);
  return { certificatePem: chainPem, privateKeyPem };
};
/** Valid from `startDay` on (days from now) for ten days. */
const pairAround = (name: string, startDay: number): Pair => {
  const { chainPem, privateKeyPem } = issueCertificate({
    ca: testCa(),
    names: [name],
    now: Date.now() + startDay * DAY_MS,
    days: 10,
    privateKeyPem: pemFixture('leaf-1.key'),
  });
  return { certificatePem: chainPem, privateKeyPem };
};

function driver(headgear: () => HeadgearProcess) {
  const publish = (...bodies: readonly Buffer[]) =>
    publishBodies({
      host: '127.0.0.1',
      port: headgear().intakePort,
      destination: '/queue/routinginfo',
      bodies,
      persistent: true,
      timeoutMs: PATIENCE_MS,
    });
  const aliasOf = (view: AppView | null, alias: string) =>
    view?.aliases.find((record) => record.alias === alias);
  return {
    publish,
    /** Announces the alias, uploads, and waits until it is judged: [code of the refusal or null, warnings]. */
    async upload(alias: string, pair: Pair): Promise<readonly [string | null, readonly string[]]> {
      await publish(addAlias(app, alias), addSsl(app, alias, pair));
      const view = await headgear().untilApp(keyOf(app), (now) => {
        const record = aliasOf(now, alias);
        return Boolean(record?.certificate ?? record?.refusal);
      });
      const record = aliasOf(view, alias);
      return [record?.refusal?.code ?? null, record?.certificate?.warnings ?? []];
    },
    alias: async (alias: string) => aliasOf(await headgear().admin<AppView>(`/apps/${keyOf(app)}`), alias),
    /** Fingerprint of the certificate that a real handshake gets; `ca` is then verified against what was presented. */
    async served(servername: string, ca?: string): Promise<string> {
      const tls = { servername, ...(ca === undefined ? {} : { ca }) };
      const client = await connectRaw({ port: headgear().httpsPort, tls });
      try {
        assert.ok(client.socket instanceof TLSSocket);
        return client.socket.getPeerX509Certificate()?.fingerprint256 ?? 'none';
      } finally {
        client.destroy();
      }
    },
  };
}

const fingerprintOf = ({ certificatePem }: Pair) => new X509Certificate(certificatePem).fingerprint256;

describe('certificates of aliases, from event to handshake', () => {
  let home: HeadgearHome;
  let headgear: HeadgearProcess;
  const { publish, upload, alias, served } = driver(() => headgear);
  const platform = async () => served('nobody.test');

  before(async () => {
    home = headgearHome(intake);
    headgear = await home.start();
    await publish(createApplication(app));
    assert.deepEqual(await upload(bystander, pairFor(bystander)), [null, []]);
  });
  after(() => home?.remove());

  /** Whatever the test did: the neighbour's certificate is as it was. */
  const bystanderIsServed = async () =>
    assert.equal(await served(bystander), fingerprintOf(pairFor(bystander)));

  it('scenario 39: a chain is presented whole, whatever order, line ends and text around it came with', async () => {
    const name = 'www.chain.test';
    const [leaf, intermediate, root] = ['leaf', 'intermediate', 'root'].map((part) =>
      pemFixture(`chain-${part}.crt`),
    );
    const privateKeyPem = pemFixture('leaf-1.key');
    const inOrder = `${leaf}${intermediate}`;
    const spellings: readonly (readonly [string, readonly string[]])[] = [
      [inOrder, []],
      [`${intermediate}${leaf}`, ['CERT_CHAIN_REORDERED']],
      [inOrder.replaceAll('\n', '\r\n'), []],
      [`subject=CN = www.chain.test: the shop\n${inOrder}`, []],
      [inOrder.trimEnd(), []],
    ];
    for (const [certificatePem, warnings] of spellings) {
      assert.deepEqual(await upload(name, { certificatePem, privateKeyPem }), [null, warnings]);
      // The client knows the root alone, so the handshake proves that the intermediate came.
      assert.equal(await served(name, root), fingerprintOf({ certificatePem: leaf ?? '', privateKeyPem }));
      await publish(removeAlias(app, name));
      await headgear.untilApp(keyOf(app), (view) =>
        Boolean(view?.aliases.every((record) => record.alias !== name)),
      );
    }
    const ambiguous = `${intermediate}${pemFixture('chain-intermediate-cross.crt')}${leaf}`;
    assert.deepEqual(await upload(name, { certificatePem: ambiguous, privateKeyPem }), [
      'PEM_LEAF_NOT_FIRST',
      [],
    ]);
    assert.equal(await served(name), await platform());
    await bystanderIsServed();
  });

  it('scenario 40: encrypted keys open with their pass phrase and serve', async () => {
    const kinds = [
      'rsa-pkcs8-aes256',
      'rsa-traditional-aes256',
      'rsa-traditional-des3',
      'rsa-traditional-des',
    ];
    for (const [n, kind] of kinds.entries()) {
      const name = `encrypted${n}.test`;
      const pair = {
        certificatePem: pemFixture('rsa.crt'),
        privateKeyPem: pemFixture(`${kind}.key`),
        passPhrase: PASS,
      };
      assert.deepEqual(await upload(name, pair), [null, ['CERT_NAME_MISMATCH']], kind);
      assert.equal(await served(name), fingerprintOf(pair), kind);
    }
  });

  it('scenario 40: a wrong or missing pass phrase and an unknown encryption fail for that alias alone', async () => {
    const certificatePem = pemFixture('rsa.crt');
    const bad: readonly (readonly [string, string | null, string])[] = [
      ['rsa-pkcs8-aes256', 'wrong', 'PEM_PASS_PHRASE_WRONG'],
      ['rsa-traditional-des3', null, 'PEM_PASS_PHRASE_MISSING'],
      ['rsa-pkcs8-pbe1-md5-des', PASS, 'PEM_KEY_ENCRYPTION_UNSUPPORTED'],
    ];
    for (const [n, [kind, passPhrase, code]] of bad.entries()) {
      const name = `refused${n}.test`;
      const pair = { certificatePem, privateKeyPem: pemFixture(`${kind}.key`) };
      assert.deepEqual(await upload(name, passPhrase === null ? pair : { ...pair, passPhrase }), [code, []]);
      assert.equal(await served(name), await platform());
    }
    await bystanderIsServed();
  });

  it('scenario 41: a DSA key and a key of 1024 bits are refused when they come, and the former certificate stays', async () => {
    const name = 'www.keys.test';
    const former = pairFor(name);
    assert.deepEqual(await upload(name, former), [null, []]);
    for (const [kind, code] of [
      ['dsa', 'PEM_KEY_DSA'],
      ['rsa-1024', 'PEM_KEY_TOO_SMALL'],
    ] as const) {
      await publish(
        addSsl(app, name, {
          certificatePem: pemFixture(`${kind}.crt`),
          privateKeyPem: pemFixture(`${kind}.key`),
        }),
      );
      await eventually(
        async () => (await alias(name))?.refusal?.code === code,
        `${kind} refused`,
        PATIENCE_MS,
      );
      assert.equal(await served(name), fingerprintOf(former));
    }
    await bystanderIsServed();
  });

  it('scenario 42: remove_ssl leaves the alias with the platform’s certificate, remove_alias drops a left-over one', async () => {
    const name = 'www.removed.test';
    await upload(name, pairFor(name));
    await publish(removeSsl(app, name));
    await eventually(async () => (await served(name)) === (await platform()), 'the platform’s', PATIENCE_MS);
    assert.equal((await alias(name))?.servedFor, keyOf(app));
    await upload(name, pairFor(name, 2));
    // No remove_ssl before it, as after a broker's crash.
    await publish(removeAlias(app, name));
    await headgear.untilApp(keyOf(app), (view) =>
      Boolean(view?.aliases.every((record) => record.alias !== name)),
    );
    assert.equal(await served(name), await platform());
    await publish(addAlias(app, name));
    await headgear.untilApp(keyOf(app), (view) =>
      Boolean(view?.aliases.some((record) => record.alias === name)),
    );
    assert.equal((await alias(name))?.certificate, null);
    await bystanderIsServed();
  });

  it('scenario 43: an expired and a not yet valid certificate are served by default, and said', async () => {
    const listed = async () =>
      (await headgear.admin<{ certificates: CertificateView[] }>('/certificates?alerts=1'))?.certificates ??
      [];
    for (const [name, startDay, warning] of [
      ['expired.test', -100, 'CERT_EXPIRED'],
      ['early.test', 100, 'CERT_NOT_YET_VALID'],
    ] as const) {
      const pair = pairAround(name, startDay);
      assert.deepEqual(await upload(name, pair), [null, [warning]]);
      assert.equal(await served(name), fingerprintOf(pair));
      assert.ok(headgear.child.stderr().includes(`"code":"${warning}"`));
      assert.ok((await listed()).some((view) => view.name === name && view.alerts.includes(warning)));
    }
    const refused = (await listed()).find(({ name }) => name === 'www.keys.test');
    assert.equal(refused?.refusal?.code, 'PEM_KEY_TOO_SMALL');
    assert.match(
      await headgear.adminText('/metrics'),
      /headgear_certificates_by_days_left\{within="expired"\} 1/,
    );
  });
});

describe('certificates of aliases where the policy is to fall back', () => {
  let home: HeadgearHome;
  let headgear: HeadgearProcess;
  const { publish, upload, served } = driver(() => headgear);
  before(async () => {
    home = headgearHome({
      ...intake,
      certificates: { expired: 'fallback', notYetValid: 'fallback', nameMismatch: 'fallback' },
    });
    headgear = await home.start();
    await publish(createApplication(app));
  });
  after(() => home?.remove());

  it('scenario 43: expired, not yet valid and misnamed ones are kept and said, and the platform’s is served', async () => {
    const platform = await served('nobody.test');
    for (const [name, pair, warning] of [
      ['expired.test', pairAround('expired.test', -100), 'CERT_EXPIRED'],
      ['early.test', pairAround('early.test', 100), 'CERT_NOT_YET_VALID'],
      ['www.misnamed.test', pairFor('www.other.test'), 'CERT_NAME_MISMATCH'],
    ] as const) {
      assert.deepEqual(await upload(name, pair), [null, [warning]]);
      assert.equal(await served(name), platform);
      assert.ok(headgear.child.stderr().includes(`"code":"${warning}"`));
    }
    const good = pairFor('www.good.test');
    await upload('www.good.test', good);
    assert.equal(await served('www.good.test'), fingerprintOf(good));
  });
});
