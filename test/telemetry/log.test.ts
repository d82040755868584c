import assert from 'node:assert/strict';
import { readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createLog, type RootLog } from '../../src/telemetry/log.ts';
import { temporaryFolder } from './folder.ts';

function openLog(t: TestContext, level: 'debug' | 'info' = 'info'): { log: RootLog; file: string } {
  const folder = temporaryFolder();
  t.after(() => folder.drop());
  const file = join(folder.path, 'headgear.log');
  return { log: createLog({ level, file }), file };
}

function recordsOf(file: string): Record<string, unknown>[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('log', () => {
  it('writes one JSON object a line, with level, time, room, message and fields', (t) => {
    const { log, file } = openLog(t);
    log.child('stomp').warn('reconnecting', { host: 'bus-1', attempt: 3 });
    log.flush();
    const [record] = recordsOf(file);
    assert.equal(record?.level, 'warn');
    assert.equal(record?.room, 'stomp');
    assert.equal(record?.message, 'reconnecting');
    assert.equal(record?.attempt, 3);
    assert.match(String(record?.time), /^\d{4}-.*Z$/);
    assert.equal(statSync(file).mode & 0o027, 0);
  });

  it('leaves out what is below its level', (t) => {
    const { log, file } = openLog(t);
    log.debug('not this');
    log.info('this');
    log.flush();
    assert.deepEqual(
      recordsOf(file).map((record) => record.message),
      ['this'],
    );
  });

  it('shows errors given as a field', (t) => {
    const { log, file } = openLog(t);
    log.error('no commit', { error: new Error('disk full') });
    log.flush();
    assert.match(JSON.stringify(recordsOf(file)[0]), /"message":"disk full"/);
  });

  it('lets nobody forge a line by a line feed in a message or field', (t) => {
    const { log, file } = openLog(t);
    log.info('a\n{"level":"error"}', { alias: 'b\r\n{"level":"error"}' });
    log.flush();
    assert.equal(recordsOf(file).length, 1);
  });

  it('never throws, also for fields that cannot be written', (t) => {
    const { log, file } = openLog(t);
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const hostile = {
      get trap(): string {
        throw new Error('getter');
      },
    };
    log.info('circle', circle);
    log.info('big', { n: 10n });
    log.info('trap', hostile);
    log.info('json trap', {
      value: {
        toJSON: () => {
          throw new Error('toJSON');
        },
      },
    });
    log.flush();
    assert.deepEqual(
      recordsOf(file).map((record) => record.message),
      ['circle', 'big', 'trap', 'json trap'],
    );
  });

  it('never throws where its file cannot be opened', () => {
    const folder = temporaryFolder();
    const log = createLog({ level: 'info', file: join(folder.path, 'missing', 'headgear.log') });
    log.info('into the void');
    log.flush();
    log.reopen();
    folder.drop();
  });

  it('goes on in a new file after a rotation', (t) => {
    const { log, file } = openLog(t);
    log.info('one');
    log.flush();
    renameSync(file, `${file}.1`);
    log.reopen();
    log.info('two');
    log.flush();
    assert.equal(recordsOf(file)[0]?.message, 'two');
    assert.equal(recordsOf(`${file}.1`).length, 1);
  });
});
