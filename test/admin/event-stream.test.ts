import assert from 'node:assert/strict';
import net from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { type AdminActor, startTestAdmin } from './admin-actor.ts';

let actor: AdminActor | null = null;
let sockets: net.Socket[] = [];
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  await actor?.admin.stop();
  actor = null;
});

/** A reader whose socket the test holds; `text` is the latest of what came. */
function read(port: number): { readonly socket: net.Socket; text(): string } {
  let text = '';
  const socket = net.connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.setEncoding('utf8').on('data', (piece: string) => {
    text = (text + piece).slice(-250_000);
  });
  socket.write(`GET /events HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`);
  return { socket, text: () => text };
}

describe('GET /events', () => {
  it('shows each event to every reader as it comes', async () => {
    actor = await startTestAdmin();
    const [one, two] = [read(actor.port), read(actor.port)];
    await eventually(() => one.text().includes(': connected') && two.text().includes(': connected'));
    actor.house.tell({ number: 41, subject: 'www.example.com' });
    for (const reader of [one, two]) {
      await eventually(() => reader.text().includes('\n\n'));
      await eventually(() =>
        /id: 41\nevent: event\ndata: \{.*"www\.example\.com".*\}\n\n/.test(reader.text()),
      );
    }
  });

  it('lets no event forge another by line feeds', async () => {
    actor = await startTestAdmin();
    const reader = read(actor.port);
    await eventually(() => reader.text().includes(': connected'));
    actor.house.tell({
      number: 1,
      subject: 'x\n\nid: 99\nevent: event\ndata: {}\n\n',
      reason: '\r\rdata: y',
    });
    actor.house.tell({ number: 2 });
    await eventually(() => reader.text().includes('id: 2'));
    assert.doesNotMatch(reader.text(), /^id: 99/m);
    assert.doesNotMatch(reader.text(), /\rdata: y/);
  });

  it('subscribes only while somebody reads', async () => {
    actor = await startTestAdmin();
    const { house, port } = actor;
    assert.equal(house.listeners.size, 0);
    const reader = read(port);
    await eventually(() => house.listeners.size === 1);
    reader.socket.destroy();
    await eventually(() => house.listeners.size === 0);
  });

  it('drops a reader that does not read, and goes on with the others', async () => {
    actor = await startTestAdmin();
    const { house, port } = actor;
    const [slow, quick] = [read(port), read(port)];
    await eventually(() => slow.text().includes(': connected') && quick.text().includes(': connected'));
    slow.socket.pause();
    const filler = 'word '.repeat(20_000);
    let number = 0;
    await eventually(async () => {
      for (let n = 0; n < 5; n += 1) house.tell({ number: ++number, reason: filler });
      await eventually(() => quick.text().includes(`id: ${number}\n`), 'the quick reader to get every event');
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return /^headgear_admin_event_readers 1$/m.test(metrics);
    }, 'the slow reader to be dropped');
    house.tell({ number: 1_000_000 });
    await eventually(() => quick.text().includes('id: 1000000\n'));
  });

  it('bounds the number of readers', async () => {
    actor = await startTestAdmin();
    const { port } = actor;
    const readers = Array.from({ length: 32 }, () => read(port));
    await eventually(() => readers.every((reader) => reader.text().includes(': connected')));
    assert.equal((await fetch(`${actor.url}/events`)).status, 503);
    readers[0]?.socket.destroy();
    await eventually(async () => {
      const again = await fetch(`http://127.0.0.1:${port}/events`);
      await again.body?.cancel();
      return again.status === 200;
    });
  });
});
