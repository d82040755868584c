import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadPlatformCertificates, type PlatformCertificate } from '../../src/certificates/load-platform.ts';
import { watchPlatformCertificates } from '../../src/certificates/platform-source.ts';
import type { TicketSecret } from '../../src/certificates/ticket-keys.ts';
import { startTicketSource } from '../../src/certificates/ticket-source.ts';
import { configSchema } from '../../src/config/schema.ts';
import { testCertificate } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { memoryLog, memoryMetrics } from '../support/memory-telemetry.ts';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'headgear-reload-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const tlsOf = (tls: object) => configSchema.parse({ cloudDomain: 'example.test', listeners: {}, tls }).tls;
const hex = (secrets: readonly TicketSecret[] = []) => secrets.map((one) => Buffer.from(one).toString('hex'));

/** As operators do it: a new file takes the place of the old one. */
function replaceFile(file: string, content: string): void {
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
}

test('a changed key file is read again; one that cannot be used changes nothing and is said aloud', (t) => {
  const file = join(folderOf(t), 'tickets');
  const [first, second] = [randomBytes(48), randomBytes(80)];
  const [log, metrics] = [memoryLog(), memoryMetrics()];
  const published: string[][] = [];
  writeFileSync(file, `${first.toString('base64')}\n`);
  const { tickets } = tlsOf({ tickets: { keysFile: file } });
  const source = startTicketSource({
    config: tickets,
    log,
    metrics,
    publish: (secrets) => published.push(hex(secrets)),
  });
  t.after(source.stop);
  assert.deepEqual(published, [hex([first])]);

  replaceFile(file, `${second.toString('base64')}\n${first.toString('base64')}\n`);
  source.renew();
  assert.deepEqual(published.at(-1), hex([second, first]));

  replaceFile(file, 'rubbish\n');
  source.renew();
  rmSync(file);
  source.renew();
  assert.equal(published.length, 2);
  assert.equal(metrics.value('tls_ticket_key_failures_total'), 2);
  const errors = log.lines.filter(({ level }) => level === 'error');
  assert.equal(errors.length, 2);
  assert.ok(!JSON.stringify(log.lines).includes(first.toString('base64').slice(0, 10)));
});

test('a change of the file is noticed without being told', async (t) => {
  const file = join(folderOf(t), 'tickets');
  const key = () => `${randomBytes(48).toString('base64')}\n`;
  writeFileSync(file, key());
  let published = 0;
  const source = startTicketSource({
    config: tlsOf({ tickets: { keysFile: file } }).tickets,
    log: memoryLog(),
    metrics: memoryMetrics(),
    publish: () => published++,
  });
  t.after(source.stop);
  replaceFile(file, key());
  await eventually(() => published === 2);
});

test('own keys rotate: the newest first, former ones as long as tickets under them live', (t) => {
  const published: string[][] = [];
  const source = startTicketSource({
    config: tlsOf({ tickets: { lifetimeMs: 7_200_000, rotateMs: 3_600_000 } }).tickets,
    log: memoryLog(),
    metrics: memoryMetrics(),
    publish: (secrets) => published.push(hex(secrets)),
  });
  t.after(source.stop);
  for (let i = 0; i < 4; i += 1) source.renew();
  assert.deepEqual(
    published.map((secrets) => secrets.length),
    [1, 2, 3, 3, 3],
  );
  assert.deepEqual(published[4]?.slice(1), published[3]?.slice(0, 2));
  assert.equal(new Set(published.map(([newest]) => newest)).size, 5);
});

test('a key file that cannot be used keeps Headgear from starting', (t) => {
  const file = join(folderOf(t), 'tickets');
  writeFileSync(file, 'rubbish\n');
  const { problems } = loadPlatformCertificates(tlsOf({ tickets: { keysFile: file } }));
  assert.deepEqual(
    problems.map(({ path, code }) => [path, code]),
    [['tls.tickets.keysFile', 'CERTIFICATES_TICKET_KEYS']],
  );
});

test('renewed platform certificates are handed over, whole or not at all', (t) => {
  const folder = folderOf(t);
  const [certFile, keyFile] = [join(folder, 'wildcard.pem'), join(folder, 'wildcard.key')];
  const [former, renewed] = [1, 2].map((edition) => testCertificate(['*.apps.example.test'], edition));
  assert.ok(former && renewed);
  writeFileSync(certFile, former.chainPem);
  writeFileSync(keyFile, former.privateKeyPem);
  const [log, metrics] = [memoryLog(), memoryMetrics()];
  const published: (readonly PlatformCertificate[])[] = [];
  const watch = watchPlatformCertificates({
    config: tlsOf({ certificates: [{ certFile, keyFile }] }),
    log,
    metrics,
    publish: (certificates) => published.push(certificates),
  });
  t.after(watch.stop);
  watch.check();
  assert.equal(published.length, 0, 'nothing has changed');

  replaceFile(certFile, renewed.chainPem);
  watch.check();
  assert.equal(published.length, 0, 'the key of the new certificate is not there yet');
  assert.equal(metrics.value('tls_platform_reload_failures_total'), 1);
  assert.match(JSON.stringify(log.lines), /PEM_KEY_MISMATCH/);

  replaceFile(keyFile, renewed.privateKeyPem);
  watch.check();
  assert.equal(published.length, 1);
  assert.equal(published[0]?.[0]?.keyPem.includes('PRIVATE KEY'), true);
  watch.check();
  assert.equal(published.length, 1);
});
