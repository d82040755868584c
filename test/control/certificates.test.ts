import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unsealPem } from '../../src/seal/sealed-pem.ts';
import { certificateId } from '../../src/table/certificate-ref.ts';
import { testCertificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { body, delivery, memoryStore } from './fakes.ts';
import { policyWithGrace, scene } from './scenery.ts';

const alias = 'www.x.test';
const addAlias = (app: string) => body('add_alias', app, { alias });
const addSsl = (app: string, edition = 1, key = testCertificate([alias], edition).privateKeyPem) =>
  body('add_ssl', app, {
    alias,
    ssl: testCertificate([alias], edition).chainPem,
    private_key: key,
    pass_phrase: null,
  });

test('a good certificate is stored and published for its alias, with its key', async () => {
  const { control, store, plane, send, published } = scene();
  await control.recover();
  await send(addAlias('demo/app'), addSsl('demo/app'));
  await published();
  const served = plane.certificates.get(alias);
  assert.ok(served);
  const stored = store.certificate('demo/app', alias);
  assert.ok(stored !== null && 'sealed' in served);
  assert.deepEqual([served.id, served.sealed], [stored.id, stored.sealed]);
  const { keyPem } = unsealPem(store.keys, served, served.sealed) ?? {};
  assert.ok(keyPem?.startsWith('-----BEGIN PRIVATE KEY-----'));
  assert.equal(control.status().certificates, 1);
  assert.equal(
    certificateId(control.state().apps.get('demo/app')?.aliases[0]?.certificate ?? assert.fail()),
    served.id,
  );
  await control.stop();
});

test('a bad certificate keeps the former in store and table, is quarantined, and its reason is kept at the alias, also over a restart', async () => {
  const store = memoryStore();
  const { control, plane, reports, send, published } = scene({}, store);
  await control.recover();
  await send(addAlias('demo/app'), addSsl('demo/app'));
  await published();
  const former = plane.certificates.get(alias);
  const stored = store.certificate('demo/app', alias);
  await send(addSsl('demo/app', 2, testCertificate([alias], 1).privateKeyPem));
  await published();
  assert.equal(plane.certificates.get(alias), former);
  assert.equal(store.certificate('demo/app', alias), stored);
  assert.equal(reports.at(-1)?.outcome, 'quarantined');
  assert.equal(store.entries[0]?.code, 'PEM_KEY_MISMATCH');
  const refusal = control.state().apps.get('demo/app')?.aliases[0]?.refusal;
  assert.equal(refusal?.code, 'PEM_KEY_MISMATCH');
  assert.equal(refusal.at, 1_000, 'the time is the event’s own');
  await control.stop();

  const again = scene({}, store);
  await again.control.recover();
  assert.equal(again.plane.certificates.get(alias)?.id, former?.id);
  assert.equal(again.control.state().apps.get('demo/app')?.aliases[0]?.refusal?.code, 'PEM_KEY_MISMATCH');
  assert.equal(again.control.status().certificates, 1);
  await again.control.stop();
});

test('scenario 12: a certificate replaced within one batch goes from the former to the new one in one change', async () => {
  const { control, store, plane, send, published } = scene();
  await control.recover();
  await send(addAlias('demo/app'), addSsl('demo/app'));
  await published();
  const former = plane.certificates.get(alias)?.id;
  await send(body('remove_ssl', 'demo/app', { alias }), addSsl('demo/app', 2));
  await published();
  assert.equal(plane.changes.length, 3);
  assert.notEqual(plane.certificates.get(alias)?.id, former);
  assert.equal(store.certificate('demo/app', alias)?.id, plane.certificates.get(alias)?.id);
  assert.equal(control.status().certificates, 1);
  await control.stop();
});

test('scenario 15: delete_application purges certificates and keys, also where it is created again in the same batch', async () => {
  const { control, store, plane, send, published } = scene();
  await control.recover();
  await send(addAlias('demo/app'), addSsl('demo/app'));
  await send(
    body('delete_application', 'demo/app'),
    body('create_application', 'demo/app'),
    addAlias('demo/app'),
  );
  await published();
  assert.equal(store.certificates.size, 0);
  assert.equal(plane.certificates.size, 0);
  assert.equal(plane.hosts.has(alias), true);
  assert.equal(control.status().certificates, 0);
  await control.stop();
});

test('without a grace time, a certificate that was removed within its own batch never reaches the store', async () => {
  const { control, store, send } = scene({ policy: policyWithGrace(0) });
  await control.recover();
  await send(addAlias('demo/app'), addSsl('demo/app'), body('remove_ssl', 'demo/app', { alias }));
  assert.deepEqual(
    store.batches.flatMap(({ certificates }) => certificates),
    [],
  );
  await control.stop();
});

test('scenario 12: a removed certificate is served on for its grace time, seen in status and table, and is gone with its key after it', async () => {
  const { control, store, plane, reports, send, published } = scene({
    policy: policyWithGrace(300),
    now: () => 1_000,
  });
  await control.recover();
  await send(addAlias('demo/app'), addSsl('demo/app'), body('remove_ssl', 'demo/app', { alias }));
  await published();
  assert.ok(plane.certificates.has(alias), 'no wildcard in between');
  assert.equal(control.status().retiring, 1);
  assert.ok(control.state().apps.get('demo/app')?.aliases[0]?.retiresAt);
  await eventually(() => !plane.certificates.has(alias), 'the certificate gone');
  assert.equal(store.certificates.size, 0, 'no key outlives its certificate');
  assert.deepEqual([control.status().retiring, control.status().certificates], [0, 0]);
  assert.deepEqual([reports.at(-1)?.action, reports.at(-1)?.source], ['retire_ssl', 'clock']);
  await control.stop();
});

test('scenario 12: the certificate that comes within the grace time ends it, and stays when it would have been over', async () => {
  const { control, plane, reports, send, published } = scene({
    policy: policyWithGrace(50),
    now: () => 1_000,
  });
  await control.recover();
  await send(addAlias('demo/app'), addSsl('demo/app'), addAlias('demo/other'), addSsl('demo/other', 2));
  // demo/other's own removal comes after demo/app's, so its end says that demo/app's time is over, too.
  await send(
    body('remove_ssl', 'demo/app', { alias }),
    addSsl('demo/app', 2),
    body('remove_ssl', 'demo/other', { alias }),
  );
  await eventually(() => reports.at(-1)?.action === 'retire_ssl', 'the grace time over');
  await published();
  assert.equal(reports.filter(({ action }) => action === 'retire_ssl').length, 1);
  assert.ok(control.state().apps.get('demo/app')?.aliases[0]?.certificate);
  assert.equal(control.state().apps.get('demo/other')?.aliases[0]?.certificate, null);
  assert.equal(plane.certificates.size, 0);
  await control.stop();
});

test('a grace time goes on over a restart, and one that ended meanwhile ends at once', async () => {
  const store = memoryStore();
  const first = scene({ policy: policyWithGrace(60_000) }, store);
  await first.control.recover();
  await first.send(addAlias('demo/app'), addSsl('demo/app'), body('remove_ssl', 'demo/app', { alias }));
  await first.control.stop();
  const second = scene({ policy: policyWithGrace(60_000) }, store);
  await second.control.recover();
  assert.equal(second.control.status().retiring, 1);
  assert.ok(second.plane.certificates.has(alias));
  await second.control.stop();
  const third = scene({ policy: policyWithGrace(60_000), now: () => 100_000 }, store);
  await third.control.recover();
  await eventually(() => !third.plane.certificates.has(alias), 'the certificate gone');
  await third.control.stop();
});

test('scenario 11: add_ssl before the remove_ssl that belongs before it: the new certificate stays, and that is said', async () => {
  const { control, plane, reports, log, send, published } = scene({
    policy: policyWithGrace(50),
    now: () => 1_000,
  });
  await control.recover();
  await send(addAlias('demo/app'), addSsl('demo/app'));
  const former = plane.certificates.get(alias)?.id;
  await send(addSsl('demo/app', 2), body('remove_ssl', 'demo/app', { alias }));
  await published();
  assert.notEqual(plane.certificates.get(alias)?.id, former);
  assert.equal(control.status().retiring, 0);
  assert.match(reports.at(-1)?.notes[0] ?? '', /overtaken/);
  assert.ok(log.lines.some(({ fields }) => fields.code === 'TABLE_REMOVE_OVERTAKEN'));
  await control.stop();
});

test('scenario 38: a displaced application’s certificate stays stored and returns with its alias', async () => {
  const { control, store, plane, send, published } = scene();
  await control.recover();
  await send(addAlias('demo/a'), addSsl('demo/a'), addAlias('demo/b'), addSsl('demo/b', 2));
  await published();
  const winner = plane.certificates.get(alias)?.id;
  assert.equal(winner, store.certificate('demo/b', alias)?.id);
  await send(body('remove_alias', 'demo/b', { alias }));
  await published();
  assert.equal(plane.certificates.get(alias)?.id, store.certificate('demo/a', alias)?.id);
  assert.notEqual(plane.certificates.get(alias)?.id, winner);
  await control.stop();
});

test('a certificate that the store lost is said, and the rest of the table is published', async () => {
  const store = memoryStore();
  const first = scene({}, store);
  await first.control.recover();
  await first.send(addAlias('demo/app'), addSsl('demo/app'), addAlias('demo/other'));
  await first.control.stop();
  store.certificates.clear();
  const second = scene({}, store);
  await second.control.recover();
  assert.equal(second.plane.hosts.has(alias), true);
  assert.equal(second.plane.certificates.size, 0);
  await second.control.stop();
});

test('no report and no log line holds a key or a pass phrase', async () => {
  const { control, reports, log, send } = scene();
  await control.recover();
  const secret = 'correct horse battery staple';
  const bad = body('add_ssl', 'demo/app', {
    alias,
    ssl: 'no certificate',
    private_key: testCertificate([alias]).privateKeyPem,
    pass_phrase: secret,
  });
  await send(addAlias('demo/app'), addSsl('demo/app'), bad, Buffer.concat([bad, Buffer.from('\n:x: [')]));
  const said = JSON.stringify([reports, log.lines]);
  assert.equal(said.includes('PRIVATE KEY'), false);
  assert.equal(said.includes(secret), false);
  await control.stop();
});

test('the judge may take its time: events stay in order behind it', async () => {
  const { control, reports, send } = scene({
    judge: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return { ok: false, code: 'PEM_TEST', reason: 'refused slowly' };
    },
  });
  await control.recover();
  await send(addSsl('demo/app'), addAlias('demo/app'));
  assert.deepEqual(
    reports.map(({ action, outcome }) => [action, outcome]),
    [
      ['add_ssl', 'quarantined'],
      ['add_alias', 'applied'],
    ],
  );
  await control.stop();
});

test('a delivery whose ack is called by nobody else is acked once', async () => {
  const { control } = scene();
  await control.recover();
  const one = delivery(addSsl('demo/app'));
  control.deliver(one);
  await new Promise<void>((resolve) => {
    control.subscribe(() => resolve());
  });
  assert.equal(one.acks(), 1);
  await control.stop();
});

test('scenario 43: what is odd about an accepted certificate is said in the log and the event’s notes', async () => {
  const { control, reports, log, send } = scene();
  await control.recover();
  // The test's deliveries come in 1970, long before any certificate's validity.
  const other = testCertificate(['other.test']);
  await send(
    addAlias('demo/app'),
    body('add_ssl', 'demo/app', {
      alias,
      ssl: other.chainPem,
      private_key: other.privateKeyPem,
      pass_phrase: null,
    }),
  );
  assert.equal(reports.at(-1)?.outcome, 'applied');
  assert.match(reports.at(-1)?.notes[0] ?? '', /not valid before 20\d\d-/);
  assert.match(reports.at(-1)?.notes[1] ?? '', /does not stand for this name but for other\.test/);
  const codes = log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields.code);
  assert.deepEqual(codes, ['CERT_NOT_YET_VALID', 'CERT_NAME_MISMATCH']);
  await control.stop();
});
