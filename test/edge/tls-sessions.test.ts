import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import tls from 'node:tls';
import { platformCertificate, publishedCertificate, testCa } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { skipWithout } from '../support/parts.ts';
import { closeTlsEdges, sClient, sockets, startTlsEdge, type Visit, visit } from '../support/tls-edge.ts';

afterEach(closeTlsEdges);

const NAME = 'one.apps.example.test';
const secret = (): Buffer => randomBytes(48);

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  const options = { maxVersion, servername: NAME };

  test(`${maxVersion}: after a rotation former tickets still resume, and are replaced by new ones`, async () => {
    const [first, second, third] = [secret(), secret(), secret()];
    const edge = await startTlsEdge({ ticketSecrets: [first] });
    const before = await visit(edge, options);
    edge.book.setTicketSecrets([second, first]);
    const rotated = await visit(edge, { ...options, session: before.session });
    assert.equal(rotated.reused, true);
    edge.book.setTicketSecrets([third, second]);
    assert.equal(
      (await visit(edge, { ...options, session: before.session })).reused,
      false,
      'its key is gone',
    );
    assert.equal(
      (await visit(edge, { ...options, session: rotated.session })).reused,
      true,
      'it was replaced',
    );
    assert.deepEqual(edge.failures, []);
  });

  test(`${maxVersion}: instances with the same keys resume each other's sessions, under the same name and certificate alone`, async () => {
    const ticketSecrets = [secret(), secret()];
    const [one, other, stranger] = await Promise.all([
      startTlsEdge({ ticketSecrets }),
      startTlsEdge({ ticketSecrets: [...ticketSecrets].reverse() }),
      startTlsEdge({}),
    ]);
    const { session } = await visit(one, options);
    assert.equal((await visit(other, { ...options, session })).reused, true);
    assert.equal((await visit(stranger, { ...options, session })).reused, false);
    assert.equal(
      (await visit(other, { maxVersion, servername: 'two.apps.example.test', session })).reused,
      false,
    );
    other.book.apply([[NAME, publishedCertificate([NAME])]]);
    assert.equal((await visit(other, { ...options, session })).reused, false, 'another certificate there');
  });

  test(`${maxVersion}: a renewed platform certificate serves the next handshake and ends its sessions`, async () => {
    const platform = (edition: number) => [
      platformCertificate(publishedCertificate(['*.apps.example.test'], edition)),
    ];
    const edge = await startTlsEdge({ platform: platform(1) });
    const before = await visit(edge, options);
    edge.book.setPlatform(platform(1));
    assert.equal((await visit(edge, { ...options, session: before.session })).reused, true, 'the same again');
    edge.book.setPlatform(platform(2));
    const after = await visit(edge, { ...options, session: before.session });
    assert.equal(after.reused, false);
    assert.notEqual(after.fingerprint, before.fingerprint);
  });

  test(`${maxVersion}: without tickets no session resumes`, async () => {
    const edge = await startTlsEdge({ tls: { tickets: { enabled: false } } });
    const { session } = await visit(edge, options);
    assert.equal((await visit(edge, { ...options, session })).reused, false);
    assert.deepEqual(edge.failures, []);
  });

  test(`${maxVersion}: a ticket that was tampered with, or made up, costs a full handshake and nothing else`, async () => {
    const edge = await startTlsEdge({});
    const { session } = await visit(edge, options);
    assert.ok(session);
    for (let place = session.length - 40; place > session.length - 200; place -= 20) {
      const forged: Buffer = Buffer.from(session);
      forged[place] = (forged[place] ?? 0) ^ 1;
      const seen: Visit | null = await visit(edge, { ...options, session: forged }).catch(() => null);
      // Some octets are the client's own: it may refuse the session itself.
      if (seen !== null) assert.equal(seen.answer, `hello ${NAME}\n`);
    }
    assert.equal((await visit(edge, { ...options, session })).reused, true);
  });

  test(`45, ${maxVersion}: hundreds of alias certificates, one replaced: the next handshake gets it, nothing else is touched`, async () => {
    const edge = await startTlsEdge({});
    const aliasOf = (n: number) => `www.customer-${n}.example.org`;
    const shared = publishedCertificate(['*.example.org']);
    const [own, renewed] = [publishedCertificate([aliasOf(7)], 1), publishedCertificate([aliasOf(7)], 2)];
    edge.book.apply(Array.from({ length: 300 }, (_, n) => [aliasOf(n), n === 7 ? own : shared] as const));
    const to = (n: number) => ({ maxVersion, servername: aliasOf(n) });
    const before = await visit(edge, to(7));
    const neighbour = await visit(edge, to(8));
    assert.equal(before.fingerprint, own.facts.fingerprint);
    const open = tls.connect({ ...to(7), port: edge.port, host: '127.0.0.1', ca: testCa().certificatePem });
    sockets.add(open);
    await once(open, 'secureConnect');
    const built = edge.metrics.value('tls_contexts_built_total') ?? 0;

    edge.book.apply([[aliasOf(7), renewed]]);
    const after = await visit(edge, { ...to(7), session: before.session });
    assert.equal(after.fingerprint, renewed.facts.fingerprint);
    assert.equal(after.reused, false);
    assert.equal((await visit(edge, { ...to(7), session: after.session })).reused, true);
    assert.equal((await visit(edge, { ...to(8), session: neighbour.session })).reused, true);
    open.write('still here\n');
    assert.equal(String((await once(open, 'data'))[0]), `hello ${aliasOf(7)}\n`);
    assert.equal(edge.metrics.value('tls_contexts_built_total'), built + 1, 'nothing else was made again');

    edge.book.apply([[aliasOf(7), null]]);
    const removed = await visit(edge, { ...to(7), session: after.session });
    assert.equal(removed.reused, false);
    assert.equal(removed.names, 'DNS:*.apps.example.test');
  });
}

test('a TLS 1.3 client that resumes gets a fresh ticket each time', async () => {
  const edge = await startTlsEdge({});
  let { session } = await visit(edge, { servername: NAME });
  for (let round = 0; round < 4; round += 1) {
    const seen = await visit(edge, { servername: NAME, session });
    assert.equal(seen.reused, true);
    assert.notDeepEqual(seen.session, session);
    session = seen.session;
  }
});

test('concurrent handshakes for one name make its context once', async () => {
  const edge = await startTlsEdge({});
  await Promise.all(Array.from({ length: 20 }, () => visit(edge, { servername: NAME })));
  assert.equal(edge.metrics.value('tls_contexts_built_total'), 1);
});

test('the context of a certificate that takes the place of one in use is there before it is asked for', async () => {
  const edge = await startTlsEdge({});
  const built = () => edge.metrics.value('tls_contexts_built_total') ?? 0;
  edge.book.apply([
    ['a.example.org', publishedCertificate(['a.example.org'])],
    ['b.example.org', publishedCertificate(['b.example.org'])],
  ]);
  await visit(edge, { servername: 'a.example.org' });
  assert.equal(built(), 1);
  edge.book.apply([
    ['a.example.org', publishedCertificate(['a.example.org'], 2)],
    ['b.example.org', publishedCertificate(['b.example.org'], 2)],
  ]);
  await eventually(() => built() === 2);
  await visit(edge, { servername: 'a.example.org' });
  assert.equal(built(), 2, 'made once, and none for the name that nobody asked for');
});

test('openssl s_client resumes nothing by session id alone, with TLS 1.2 and without tickets', {
  skip: skipWithout('openssl'),
}, async (t) => {
  const edge = await startTlsEdge({});
  const folder = mkdtempSync(join(tmpdir(), 'headgear-sessions-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const session = join(folder, 'session');
  const asked = (...more: string[]) => sClient(edge, '-tls1_2', '-no_ticket', '-servername', NAME, ...more);
  assert.match(await asked('-sess_out', session), /\nNew, TLSv1/);
  assert.match(await asked('-sess_in', session), /\nNew, TLSv1/);
});
