import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { EXIT } from '../../src/cli/command.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import type { CertificateView } from '../../src/control/certificate-view.ts';
import { type AdminActor, startTestAdmin } from '../admin/admin-actor.ts';
import { memoryIo } from './memory-io.ts';

const good: CertificateView = {
  ...{ name: '*.apps.test', source: 'platform', owner: null, origin: '/etc/wildcard.pem', served: true },
  certificate: {
    ...{ names: ['*.apps.test'], keyType: 'ec', keyBits: 256, daysLeft: 100, issuer: 'CN=ca' },
    ...{ notBefore: '2026-01-01T00:00:00.000Z', notAfter: '2027-03-01T12:00:00.000Z' },
    fingerprint: 'ab'.repeat(32),
  },
  refusal: null,
  alerts: [],
};
const bad: CertificateView = {
  ...{ name: 'www.shop.test', source: 'alias', owner: 'demo/shop', origin: 'add_ssl', served: false },
  certificate: null,
  refusal: { code: 'PEM_KEY_MISMATCH', reason: 'not its key\u001b[2J', at: 7 },
  alerts: ['CERT_REFUSED'],
};

let actor: AdminActor | null = null;
afterEach(async () => {
  await actor?.admin.stop();
  actor = null;
});

async function cli(certificates: CertificateView[], ...args: string[]) {
  actor = await startTestAdmin();
  actor.house.certificates = certificates;
  const io = memoryIo();
  const code = await runCli(['certs', ...args, '--admin', actor.url], io);
  await actor.admin.stop();
  actor = null;
  return { code, out: io.lines.join('\n'), err: io.errors.join('\n') };
}

describe('headgear certs', () => {
  it('lists every certificate, one line each, with what is wrong, safe for a terminal', async () => {
    const { code, out } = await cli([good, bad]);
    assert.equal(code, EXIT.ok);
    assert.deepEqual(out.split('\n'), [
      `*.apps.test  -  ec-256  100 days (2027-03-01)  /etc/wildcard.pem  *.apps.test  ${'ab'.repeat(32)}  served`,
      'www.shop.test  demo/shop  ! CERT_REFUSED (PEM_KEY_MISMATCH: not its key?[2J)',
      '2 certificates, 1 need a look',
    ]);
  });

  it('lists alerts alone, and says by its exit code whether there are any', async () => {
    const some = await cli([good, bad], '--alerts');
    assert.equal(some.code, EXIT.failed);
    assert.match(some.out, /^www\.shop\.test .*\n1 need a look$/);
    const none = await cli([good], '--alerts');
    assert.deepEqual([none.code, none.out], [EXIT.ok, 'nothing needs a look']);
  });

  it('shows one name, and admin’s own answer', async () => {
    const one = await cli([good, bad], '--name', 'WWW.shop.test.', '--json');
    assert.equal(one.code, EXIT.ok);
    const { certificates } = JSON.parse(one.out) as { certificates: { name: string }[] };
    assert.deepEqual(
      certificates.map(({ name }) => name),
      ['www.shop.test'],
    );
    assert.equal(one.out.includes('\u001b'), false);
  });
});
