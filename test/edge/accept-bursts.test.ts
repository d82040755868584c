/** Many clients that come at once while others keep everything busy. */
import assert from 'node:assert/strict';
import net, { type Socket } from 'node:net';
import { afterEach, describe, it, mock } from 'node:test';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { startGear } from '../support/gear.ts';

const REQUEST = `GET /echo HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;

/** Where time stands still, nothing else ends a test that waits in vain. */
const LIMIT = { timeout: 60_000 };

describe('clients that come at once', () => {
  const closers: (() => Promise<unknown> | unknown)[] = [];
  afterEach(async () => {
    mock.restoreAll();
    for (const close of closers.splice(0).reverse()) await close();
  });

  async function served(): Promise<DataPlane> {
    const gear = await startGear();
    closers.push(() => gear.stop());
    const dataPlane = await startDataPlane();
    closers.push(() => dataPlane.stop());
    await dataPlane.route([endpointAt(gear.port)]);
    return dataPlane;
  }

  /** Asks when it is connected, and tells of each answer. */
  function client(port: number, onAnswer: (socket: Socket) => void): Socket {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(REQUEST));
    socket.on('data', () => onAnswer(socket));
    socket.on('error', () => {});
    closers.push(() => socket.destroy());
    return socket;
  }

  it('are accepted before those who are served already have had many more answers', LIMIT, async () => {
    const { port } = await served();
    let busyAnswers = 0;
    for (let n = 0; n < 30; n++) {
      client(port, (socket) => {
        busyAnswers++;
        socket.write(REQUEST);
      });
    }
    await eventually(() => busyAnswers > 300, 'the busy ones are busy');
    // A time that stands still: only turns count, on however slow a machine.
    const { now } = performance;
    const standing = now.call(performance);
    mock.method(performance, 'now', () => standing);
    const before = busyAnswers;
    let newcomers = 0;
    for (let n = 0; n < 200; n++) client(port, () => newcomers++);
    await eventually(() => newcomers === 200, 'all have an answer');
    assert.ok(busyAnswers - before < 30 * 30, `${busyAnswers - before} answers to others meanwhile`);
  });

  it('without end do not keep those who are served from their answers', async () => {
    const { port } = await served();
    let flooding = true;
    let came = 0;
    const flood = (): void => {
      if (!flooding) return;
      const socket = net.connect(port, '127.0.0.1', () => {
        came++;
        socket.destroy();
        flood();
      });
      socket.on('error', () => flood());
    };
    closers.push(() => {
      flooding = false;
    });
    let answers = 0;
    client(port, (socket) => {
      answers++;
      socket.write(REQUEST);
    });
    await eventually(() => answers > 0, 'a first answer');
    for (let n = 0; n < 20; n++) flood();
    await eventually(() => came > 100 && answers > 20, 'answers in the flood', 30_000);
  });
});
