import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { adminJson, shownBody } from '../../src/admin/redact.ts';
import { type AdminActor, startTestAdmin } from './admin-actor.ts';

const { privateKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const keyLines = privateKey.trimEnd().split('\n');
const secretLine = keyLines[1] ?? '';
const HEAD = '---\n:action: :add_ssl\n:app_name: store\n:namespace: shop\n:alias: www.example.com\n';

/** Ways in which a private key has been, or could be, written into a body. */
const bodies: Readonly<Record<string, string>> = {
  'literal block': `${HEAD}:private_key: |\n${keyLines.map((line) => `  ${line}`).join('\n')}\n:pass_phrase: hunter2\n`,
  'single-quoted, folded': `${HEAD}:private_key: ! '${keyLines.join('\n\n')}\n\n'\n:pass_phrase: 'hunter2'\n`,
  'double-quoted with CRLF escapes': `${HEAD}:private_key: "${keyLines.join('\\r\\n')}\\r\\n"\n:pass_phrase: "hunter2"\n`,
  'double-quoted, continued lines': `${HEAD}:private_key: ! "${keyLines.join('\\r\\n\\\n  ')}"\n:pass_phrase: hunter2\n`,
  'binary tag': `${HEAD}:private_key: !binary |\n  ${Buffer.from(privateKey).toString('base64')}\n:pass_phrase: !binary |\n  ${Buffer.from('hunter2').toString('base64')}\n`,
  'raw lines without a key': `${HEAD}${privateKey}`,
  'under a harmless key': `${HEAD}:alias: ${secretLine}\n:gear_id: ${secretLine}\n:app_name: ${secretLine}\n`,
  'under a harmless key, quoted': `:alias: "${privateKey.replaceAll('\n', '\\n')}"\n:action: '${secretLine}'\n`,
  'under a harmless key, in pieces': `:alias: |\n  ${keyLines.join('\n  ')}\n`,
  'one line of JSON': JSON.stringify({ action: 'add_ssl', private_key: privateKey, pass_phrase: 'hunter2' }),
  'flow mapping on the margin': `{alias: www.example.com, private_key: "${secretLine}", pass_phrase: hunter2}`,
  'mistyped key': `:privat_key: ${secretLine}\n:passphrase: hunter2\n`,
  'no key at all': keyLines.join('\r\n'),
  'in the place of a key': `${secretLine}: x\n`,
  'UTF-16': Buffer.from(`${HEAD}:private_key: ${privateKey}`, 'utf16le').toString('latin1'),
};

describe('shownBody', () => {
  for (const [what, body] of Object.entries(bodies)) {
    it(`shows nothing of a private key: ${what}`, () => {
      const text = JSON.stringify(shownBody(Buffer.from(body, 'latin1'), body.length));
      assert.doesNotMatch(text, /PRIVATE|hunter2|aHVudGVyMg/);
      for (let n = 0; n + 12 <= secretLine.length; n += 1)
        assert.ok(!text.includes(secretLine.slice(n, n + 12)));
    });
  }

  it('shows what helps: the action and what it spoke of', () => {
    const shown = shownBody(Buffer.from(bodies['literal block'] ?? ''), 900);
    assert.deepEqual(shown.lines, HEAD.trimEnd().split('\n'));
    assert.equal(shown.bytes, 900);
    assert.equal(shown.hiddenLines, keyLines.length + 2);
  });

  it('shows an endpoint event but for what has no simple form', () => {
    const body =
      ":action: :add_public_endpoint\n:gear_id: 52af7c55b8a0d4a1e8000001\n:public_port_name: haproxy-1.4\n:public_address: '172.16.4.200'\n:public_port: 50847\n:protocols:\n- http\n";
    const shown = shownBody(Buffer.from(body), body.length);
    assert.equal(shown.lines.length, 5);
    assert.equal(shown.hiddenLines, 2);
  });

  it('copes with any bytes, also of hostile size', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        (body) => shownBody(body, body.length).bytes === body.length,
      ),
    );
    const lines = shownBody(Buffer.from('ha: true\n'.repeat(500_000)), 4_500_000).lines;
    assert.ok(lines.length <= 64);
  });
});

describe('adminJson', () => {
  it('never lets key material through, should a view hold some by mistake', () => {
    const view = {
      key: 'shop/store',
      alias: 'www.example.com',
      fingerprint: 'ab'.repeat(32),
      certificate: { keyPem: privateKey, privateKey, passPhrase: 'hunter2', chainPem: privateKey },
      reason: `cannot read ${secretLine.repeat(2)}`,
      body: Buffer.from('hunter2'),
      blob: Buffer.from('hunter2'),
      bytes: new Uint8Array([1, 2, 3]),
    };
    const text = adminJson(view);
    assert.doesNotMatch(text, /hunter2|PRIVATE|104,117/);
    assert.ok(!text.includes(secretLine.slice(0, 40)));
    assert.match(text, /"key":"shop\/store"/);
    assert.match(text, new RegExp('ab'.repeat(32)));
  });
});

describe('GET /quarantine', () => {
  let actor: AdminActor | null = null;
  afterEach(async () => {
    await actor?.admin.stop();
    actor = null;
  });

  it('shows who, when, why, and nothing of the key', async () => {
    actor = await startTestAdmin();
    const entries = Object.values(bodies).map((body, n) => ({
      id: n,
      at: 1_795_000_000_000,
      source: 'bus:bus-1:61613',
      messageId: `m-${n}`,
      code: 'SPI_NOT_A_MAP',
      reason: 'the body is not a map',
      action: null,
      app: null,
      body: Buffer.from(body, 'latin1'),
      bodyBytes: body.length,
    }));
    actor.house.quarantine = entries;
    const text = await (await fetch(`${actor.url}/quarantine`)).text();
    assert.doesNotMatch(text, /PRIVATE|hunter2|"body"/);
    assert.ok(!text.includes(secretLine.slice(0, 16)));
    const shown = (JSON.parse(text) as { entries: { code: string; content: { lines: string[] } }[] }).entries;
    assert.equal(shown.length, entries.length);
    assert.equal(shown[0]?.code, 'SPI_NOT_A_MAP');
    assert.ok(shown[0]?.content.lines.includes(':alias: www.example.com'));
    assert.equal((await fetch(`${actor.url}/quarantine?limit=5000`)).status, 400);
  });
});
