import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, existsSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type AccessLog, createAccessLog } from '../../src/telemetry/access-log.ts';
import { silentLog } from '../../src/telemetry/log.ts';
import type { Log } from '../../src/telemetry/types.ts';
import { finishedRequest } from './contexts.ts';
import { temporaryFolder, until } from './folder.ts';

const line = finishedRequest();
const linesOf = (file: string): number => readFileSync(file, 'latin1').split('\n').length - 1;

describe('access log', () => {
  let folder = temporaryFolder();
  let open: AccessLog[] = [];
  const openLog = (file: string, log: Log = silentLog): AccessLog => {
    const accessLog = createAccessLog({ file }, log);
    open.push(accessLog);
    return accessLog;
  };
  beforeEach(() => {
    folder = temporaryFolder();
    open = [];
  });
  afterEach(async () => {
    for (const accessLog of open) await accessLog.close();
    folder.drop();
  });

  it('writes every line by the time it is closed, into a file that strangers cannot read', async () => {
    const file = join(folder.path, 'access.log');
    const accessLog = openLog(file);
    for (let n = 0; n < 1_000; n += 1) accessLog.write(line, n);
    await accessLog.close();
    assert.equal(linesOf(file), 1_000);
    assert.equal(statSync(file).mode & 0o027, 0);
  });

  it('writes a single line without further traffic', async () => {
    const file = join(folder.path, 'access.log');
    openLog(file).write(line, 1);
    await until('the line is written', () => linesOf(file) === 1);
  });

  it('has written everything when flush returns', () => {
    const file = join(folder.path, 'access.log');
    const accessLog = openLog(file);
    accessLog.write(line, 1);
    accessLog.flush();
    assert.equal(linesOf(file), 1);
  });

  it('writes to the new file after a rotation and loses nothing of the old one', async () => {
    const file = join(folder.path, 'access.log');
    const accessLog = openLog(file);
    accessLog.write(line, 1);
    renameSync(file, `${file}.1`);
    accessLog.reopen();
    accessLog.write(line, 1);
    accessLog.write(line, 1);
    await accessLog.close();
    await until('both files are written', () => linesOf(`${file}.1`) === 1 && linesOf(file) === 2);
  });

  it('keeps the old file when the new one cannot be opened, as often as that is tried', async () => {
    const inner = join(folder.path, 'inner');
    const file = join(inner, 'access.log');
    spawnSync('mkdir', [inner]);
    const accessLog = openLog(file);
    renameSync(inner, `${inner}.away`);
    accessLog.reopen();
    accessLog.reopen();
    accessLog.write(line, 1);
    renameSync(`${inner}.away`, inner);
    accessLog.reopen();
    accessLog.write(line, 1);
    await accessLog.close();
    await until('both lines are there', () => linesOf(file) === 2);
  });

  it('counts lines as dropped where the file cannot be opened, and says so in the log', () => {
    const said: string[] = [];
    const log = { ...silentLog, error: (message: string) => said.push(message) };
    const accessLog = openLog(join(folder.path, 'missing', 'access.log'), log);
    for (let n = 0; n < 500; n += 1) accessLog.write(line, 1);
    accessLog.flush();
    assert.equal(accessLog.dropped(), 500);
    assert.deepEqual(said, ['the access log cannot be written']);
  });

  it('survives a full disk without growing memory, and counts what it drops', {
    skip: existsSync('/dev/full') ? false : 'no /dev/full on this system',
  }, async () => {
    const accessLog = openLog('/dev/full');
    for (let n = 0; n < 40_000; n += 1) accessLog.write(line, 1);
    assert.ok(accessLog.dropped() > 0);
    accessLog.flush();
    await accessLog.close();
  });

  it('neither blocks nor grows without bound on a pipe that nobody reads', async (t) => {
    const fifo = join(folder.path, 'fifo');
    if (spawnSync('mkfifo', [fifo]).status !== 0) return t.skip('no mkfifo on this system');
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const accessLog = openLog(fifo);
    for (let n = 0; n < 40_000; n += 1) accessLog.write(line, 1);
    assert.ok(accessLog.dropped() > 0);
    accessLog.flush();
    await accessLog.close();
    closeSync(reader);
  });

  it('starts on a FIFO without a reader', () => {
    const fifo = join(folder.path, 'fifo');
    if (spawnSync('mkfifo', [fifo]).status !== 0) return;
    const accessLog = openLog(fifo);
    accessLog.write(line, 1);
    accessLog.flush();
    assert.equal(accessLog.dropped(), 1);
  });

  /** Runs `body` in a process of its own, with the access log on its stdout and `context` to write. */
  const inChild = (body: string, stdout: 'pipe' | number): ChildProcess => {
    const url = new URL('../../src/telemetry/', import.meta.url).href;
    const script = `
      const { createAccessLog } = await import('${url}access-log.js');
      const { silentLog } = await import('${url}log.js');
      const context = ${JSON.stringify(line)};
      const accessLog = createAccessLog({ file: 'stdout' }, silentLog);
      ${body}`;
    const args = ['--input-type=module', '-e', script];
    return spawn(process.execPath, args, { stdio: ['ignore', stdout, 'pipe'] });
  };

  it('shares a stdout that is a file with whoever else writes there', async () => {
    const file = join(folder.path, 'stdout');
    const fd = openSync(file, 'w');
    const child = inChild(
      `for (let n = 0; n < 20; n += 1) {
        process.stdout.write('words of others\\n');
        accessLog.write(context, 1);
        accessLog.flush();
      }
      await accessLog.close();`,
      fd,
    );
    const [code] = (await once(child, 'exit')) as [number];
    closeSync(fd);
    assert.equal(code, 0);
    assert.equal(linesOf(file), 40);
  });

  it('goes on and ends although nobody reads its stdout', async () => {
    const child = inChild(
      `for (let n = 0; n < 60; n += 1) {
        for (let m = 0; m < 1_000; m += 1) accessLog.write(context, 1);
        await new Promise(setImmediate);
      }
      accessLog.flush();
      await accessLog.close();
      process.stderr.write('dropped ' + (accessLog.dropped() > 0));
      process.exit(0);`,
      'pipe',
    );
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const [code] = (await once(child, 'exit')) as [number];
    child.stdout?.destroy();
    await until('the child says what it dropped', () => said !== '');
    assert.equal(code, 0);
    assert.equal(said, 'dropped true');
  });

  it('does nothing when it is off', async () => {
    const accessLog = openLog('off');
    accessLog.write(line, 1);
    accessLog.flush();
    accessLog.reopen();
    assert.equal(accessLog.dropped(), 0);
    await accessLog.close();
  });
});
