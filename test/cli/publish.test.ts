import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { EXIT, UsageError } from '../../src/cli/command.ts';
import { type PublishOne, publishFiles } from '../../src/cli/publish.ts';
import { memoryIo } from './memory-io.ts';

const folder = mkdtempSync(join(tmpdir(), 'headgear-publish-'));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

type Sent = Parameters<PublishOne>[0];
function recorder(failAt = Number.POSITIVE_INFINITY): { sent: Sent[]; send: PublishOne } {
  const sent: Sent[] = [];
  const send: PublishOne = (options) => {
    if (sent.length >= failAt) return Promise.reject(new Error('the server closed the connection'));
    sent.push(options);
    return Promise.resolve({ sent: 1 });
  };
  return { sent, send };
}
const bodiesOf = (sent: readonly Sent[]): string[] => sent.flatMap(({ bodies }) => [...bodies].map(String));

describe('headgear publish', () => {
  it('sends each file as one event, in order, to the intake by default', async () => {
    const { sent, send } = recorder();
    const io = memoryIo();
    const args = [file('b.yaml', 'two'), file('a.yaml', 'one')];
    assert.equal(await publishFiles(args, io, send), EXIT.ok);
    assert.deepEqual(bodiesOf(sent), ['two', 'one']);
    assert.equal(sent[0]?.host, '127.0.0.1');
    assert.equal(sent[0]?.port, 61613);
    assert.equal(sent[0]?.destination, '/queue/routinginfo');
    assert.equal(sent[0]?.login, undefined);
    assert.deepEqual(io.lines, [`${args[0]}: confirmed (3 bytes)`, `${args[1]}: confirmed (3 bytes)`]);
  });

  it('takes server, destination and login from options, the passcode from the environment', async () => {
    const { sent, send } = recorder();
    const io = memoryIo({ env: { HEADGEAR_PASSCODE: 's3cret' }, input: ['from ', 'stdin'] });
    const args = ['-', '--to', '[::1]:61614', '--destination', '/topic/routinginfo', '--login', 'me'];
    assert.equal(await publishFiles(args, io, send), EXIT.ok);
    assert.deepEqual(bodiesOf(sent), ['from stdin']);
    const { host, port, destination, login, passcode } = sent[0] ?? {};
    assert.deepEqual(
      [host, port, destination, login, passcode],
      ['::1', 61614, '/topic/routinginfo', 'me', 's3cret'],
    );
  });

  it('does not take a passcode on the command line', async () => {
    const io = memoryIo();
    await assert.rejects(publishFiles(['x', '--passcode', 's3cret'], io, recorder().send), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /HEADGEAR_PASSCODE/);
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
  });

  it('sends nothing when one of the files cannot be read', async () => {
    const { sent, send } = recorder();
    const io = memoryIo();
    const args = [file('good.yaml', 'x'), join(folder, 'missing.yaml'), folder, file('empty.yaml', '')];
    assert.equal(await publishFiles(args, io, send), EXIT.failed);
    assert.deepEqual(sent, []);
    assert.equal(io.errors.length, 4);
    assert.match(io.errors[0] ?? '', /missing\.yaml does not exist/);
    assert.match(io.errors[3] ?? '', /nothing was sent/);
  });

  it('stops at the first that is not confirmed and says how many were left', async () => {
    const { sent, send } = recorder(1);
    const io = memoryIo();
    const args = ['1', '2', '3', '4'].map((name) => file(name, name));
    assert.equal(await publishFiles(args, io, send), EXIT.failed);
    assert.equal(sent.length, 1);
    assert.match(io.errors[0] ?? '', /\/2: not confirmed: the server closed the connection/);
    assert.match(io.errors[1] ?? '', /2 not sent/);
  });

  it('refuses arguments that make no sense', async () => {
    const wrong = [
      [],
      ['x', '--to', 'host'],
      ['x', '--to', 'host:0'],
      ['x', '--to', 'a:b:1'],
      ['-', '-'],
      ['x', '--to', '::1:61613'],
    ];
    for (const args of wrong)
      await assert.rejects(publishFiles(args, memoryIo(), recorder().send), UsageError);
  });
});
