import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { EXIT } from '../../src/cli/command.ts';
import { eventJson, eventLine } from '../../src/cli/event-line.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { type AdminActor, someReport, startTestAdmin } from '../admin/admin-actor.ts';
import { eventually } from '../support/eventually.ts';
import { memoryIo } from './memory-io.ts';

let actor: AdminActor | null = null;
afterEach(async () => {
  await actor?.admin.stop();
  actor = null;
});

describe('headgear listen', () => {
  it('shows each event in one line, until it is stopped', async () => {
    const { house, url } = await startHouse();
    const io = memoryIo();
    const ended = runCli(['listen', '--admin', url], io);
    await eventually(() => house.listeners.size === 1);
    house.tell({ number: 1 });
    house.tell({
      number: 2,
      outcome: 'quarantined',
      code: 'SPI_NO_ACTION',
      reason: 'no action',
      app: null,
      action: null,
    });
    await eventually(() => io.lines.length === 2);
    assert.deepEqual(io.lines, [
      '12:00:00Z applied     add_alias shop/store www.example.com (generation 7, 3 ms)',
      '12:00:00Z quarantined - - www.example.com (generation 7, 3 ms) SPI_NO_ACTION: no action',
    ]);
    io.signal('SIGINT');
    assert.equal(await ended, EXIT.ok);
    await eventually(() => house.listeners.size === 0);
  });

  it('shows JSON lines when asked', async () => {
    const { house, url } = await startHouse();
    const io = memoryIo();
    const ended = runCli(['listen', '--json', '--admin', url], io);
    await eventually(() => house.listeners.size === 1);
    house.tell({ number: 17 });
    await eventually(() => io.lines.length === 1);
    assert.deepEqual(JSON.parse(io.lines[0] ?? ''), { ...someReport, number: 17 });
    io.signal('SIGTERM');
    await ended;
  });

  it('connects again when the connection is lost', async () => {
    const { admin, port, url } = await startHouse();
    const io = memoryIo();
    const ended = runCli(['listen', '--admin', url], io);
    await eventually(() => io.errors.length === 1);
    await admin.stop();
    await eventually(() => io.errors.some((line) => line.includes('trying again')));
    const again = await startTestAdmin({ config: { host: '127.0.0.1', port, allowedHosts: [] } });
    actor = again;
    await eventually(() => again.house.listeners.size === 1);
    again.house.tell({ number: 1 });
    await eventually(() => io.lines.length === 1);
    io.signal('SIGINT');
    assert.equal(await ended, EXIT.ok);
  });

  it('fails when what listens there is no admin listener or refuses', async () => {
    const server = createServer((request, response) => {
      response.statusCode = request.headers.host?.startsWith('localhost') === true ? 403 : 200;
      response.end('go away');
    }).listen(0);
    await eventually(() => server.listening);
    const { port } = server.address() as AddressInfo;
    for (const host of ['localhost', '127.0.0.1']) {
      const io = memoryIo();
      assert.equal(await runCli(['listen', '--admin', `http://${host}:${port}`], io), EXIT.failed);
      assert.match(io.errors[0] ?? '', /refused: (403: go away|this is not the admin listener)/);
    }
    server.close();
    server.closeAllConnections();
  });

  it('wants an http URL', async () => {
    for (const url of ['127.0.0.1:9090', 'https://127.0.0.1:9090', 'file:///etc', 'x']) {
      assert.equal(await runCli(['listen', '--admin', url], memoryIo()), EXIT.usage, url);
    }
  });
});

describe('event line', () => {
  const hostile = { ...someReport, subject: '\x1b]0;owned\x07\n\u202eevil', notes: ['a\r\nb', '\u009b2J'] };

  it('lets no tenant send escape sequences or line feeds to the terminal', () => {
    for (const text of [eventLine(hostile, false), eventJson(hostile)]) assert.match(text, /^[\x20-\x7e]+$/);
    assert.deepEqual(JSON.parse(eventJson(hostile)), hostile);
  });

  it('colours the outcome only where colours are wanted', () => {
    assert.ok(eventLine(someReport, true).includes('\x1b[32mapplied'));
    assert.ok(!eventLine(someReport, false).includes('\x1b'));
  });
});

async function startHouse(): Promise<AdminActor> {
  actor = await startTestAdmin();
  return actor;
}
