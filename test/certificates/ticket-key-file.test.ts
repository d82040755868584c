import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { readTicketSecrets } from '../../src/certificates/ticket-key-file.ts';

const line = (octets: number): string => randomBytes(octets).toString('base64');
const read = (...lines: string[]) => readTicketSecrets(Buffer.from(lines.join('\n')));

function refusalOf(...lines: string[]): string {
  const result = read(...lines);
  assert.ok(!result.ok);
  assert.equal(result.code, 'CERTIFICATES_TICKET_KEYS');
  return result.reason;
}

test('each line is a key, the first one the newest; blank lines and comments are left out', () => {
  const [newest, former] = [line(48), line(80)];
  const result = read('# of November', newest, '', `  ${former}\r`, '');
  assert.ok(result.ok);
  assert.deepEqual(
    result.secrets.map((secret) => Buffer.from(secret).toString('base64')),
    [newest, former],
  );
});

test('a binary file of 48 or 80 octets is one key', () => {
  for (const octets of [48, 80]) {
    const key = Buffer.concat([Buffer.from([255]), randomBytes(octets - 1)]);
    assert.deepEqual(readTicketSecrets(key), { ok: true, secrets: [key] });
  }
});

test('a refusal names the line, and never shows the key', () => {
  const good = line(48);
  assert.match(refusalOf(good, line(32)), /line 2 is not the base64 of 48 or 80 octets/);
  assert.match(refusalOf('not a key'), /line 1/);
  assert.match(refusalOf(good, good), /line 2 repeats a key/);
  assert.match(refusalOf(Buffer.alloc(48).toString('base64')), /line 1 is not random/);
  assert.match(refusalOf('', '# nothing'), /no key/);
  assert.match(refusalOf(...Array.from({ length: 17 }, () => line(48))), /more than 16/);
  const cut = good.slice(0, -4);
  assert.ok(!refusalOf(cut).includes(cut.slice(0, 8)));
});
