import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { EXIT } from '../../src/cli/command.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { type AdminActor, startTestAdmin } from '../admin/admin-actor.ts';
import { memoryIo } from './memory-io.ts';

const KEY = '-----BEGIN PRIVATE KEY-----\nTHEKEY\n-----END PRIVATE KEY-----\n';
const entry = (
  id: number,
  text = `:action: :add_ssl\n:alias: www.example.com\n:private_key: |\n  ${KEY}`,
) => ({
  id,
  at: Date.UTC(2026, 10, 21, 12),
  source: 'bus:activemq1:61613',
  messageId: 'ID:1',
  code: 'PEM_KEY_MISMATCH',
  reason: 'the key is of another certificate\u001b[2J',
  action: 'add_ssl',
  app: 'shop/store',
  body: Buffer.from(text),
  bodyBytes: text.length,
});

let actor: AdminActor | null = null;
afterEach(async () => {
  await actor?.admin.stop();
  actor = null;
});

async function house() {
  actor = await startTestAdmin();
  actor.house.quarantine.push(entry(14), entry(13));
  return actor;
}

async function cli(args: readonly string[], env: Record<string, string> = {}) {
  const { url, stateDir } = actor ?? (await house());
  const io = memoryIo({ env });
  const token = ['--token-file', `${stateDir}/admin-token`];
  const code = await runCli(['quarantine', ...args, '--admin', url, ...token], io);
  return { code, out: io.lines.join('\n'), err: io.errors.join('\n') };
}

describe('headgear quarantine', () => {
  it('lists what is there, one line each, and never what could be a secret', async () => {
    for (const args of [[], ['list'], ['list', '--limit', '5']]) {
      const { code, out } = await cli(args);
      assert.equal(code, EXIT.ok);
      const [first, second, total] = out.split('\n');
      assert.match(
        first ?? '',
        /^#14 2026-11-21T12:00:00.000Z bus:activemq1:61613 add_ssl shop\/store \d+ bytes PEM_KEY_MISMATCH: the key is of another certificate\?\[2J$/,
      );
      assert.match(second ?? '', /^#13 /);
      assert.equal(total, '1 in quarantine');
      assert.doesNotMatch(out, /THEKEY|PRIVATE/);
    }
    const { out } = await cli(['--json']);
    assert.equal(JSON.parse(out).entries.length, 2);
    assert.doesNotMatch(out, /THEKEY|PRIVATE KEY/);
    assert.ok(!out.includes('\u001b'));
  });

  it('shows one, redacted, and says when there is none', async () => {
    const { code, out } = await cli(['show', '#13']);
    assert.equal(code, EXIT.ok);
    const shown = JSON.parse(out);
    assert.deepEqual([shown.id, shown.content.lines], [13, [':action: :add_ssl', ':alias: www.example.com']]);
    assert.doesNotMatch(out, /THEKEY/);
    const none = await cli(['show', '99']);
    assert.deepEqual([none.code, none.out], [EXIT.failed, '']);
    assert.match(none.err, /404.*no such message/);
  });

  it('replays and drops by number or all, with the token of the state folder', async () => {
    const { house: behind } = await house();
    assert.deepEqual(await cli(['replay', '14', '12']), {
      code: EXIT.ok,
      out: '#14 applied\n#12 applied',
      err: '',
    });
    assert.deepEqual(await cli(['drop', '--all']), {
      code: EXIT.failed,
      out: '#14 applied\n#13 refused SPI_YAML: still bad?[31m',
      err: '',
    });
    assert.deepEqual(behind.settled, [
      ['replay', [14, 12]],
      ['drop', null],
    ]);
  });

  it('changes nothing without the right token', async () => {
    const { house: behind } = await house();
    const { code, err } = await cli(['drop', '--all'], { HEADGEAR_ADMIN_TOKEN: 'guessed' });
    assert.equal(code, EXIT.failed);
    assert.match(err, /401.*admin-token/);
    assert.deepEqual(behind.settled, []);
  });

  it('asks for what it needs in words', async () => {
    for (const [args, words] of [
      [['replay'], /--all/],
      [['replay', '1', '--all'], /not both/],
      [['drop', 'x'], /number above 0/],
      [['show'], /name the message/],
      [['show', '1', '2'], /one message/],
      [['list', '--limit', '0'], /--limit/],
      [['forget', '1'], /list, show, replay or drop/],
    ] as const) {
      const { code, err } = await cli(args);
      assert.equal(code, EXIT.usage, args.join(' '));
      assert.match(err, words);
    }
  });

  it('says which file it cannot read, and when nobody answers', async () => {
    const { url } = await house();
    const io = memoryIo();
    const args = ['quarantine', 'drop', '1', '--token-file', '/nowhere/token', '--admin'];
    assert.equal(await runCli([...args, url], io), EXIT.failed);
    assert.match(io.errors.join(), /\/nowhere\/token/);
    await actor?.admin.stop();
    assert.equal(await runCli(['quarantine', '--admin', url], io), EXIT.failed);
    assert.match(io.errors.join(), /nothing listens/);
    actor = null;
  });
});
