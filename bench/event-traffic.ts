/**
 * Events as OpenShift's plugin sends them, and who sends and takes them over STOMP: on bare sockets and in large writes, because it shares
 * two processors with what is measured.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type App, addAlias, addEndpoint, removeEndpoint } from '../test/support/spi-bodies.ts';

/** Two gears each. */
export const APPLICATIONS = 25_000;
export const GEARS = APPLICATIONS * 2;
const NODES = 200;
const WRITE_EVERY_MS = 5;
/** SENDs of one connection that are not confirmed yet. */
const WINDOW = 64;

const appOf = (n: number): App => ({ appName: `app${n}`, namespace: `ns${n % 100}` });
export const gearId = (n: number): string => (0x1000_0000 + n).toString(16).padStart(24, '0');

export interface District {
  /** What happens next, as often as it is asked: each gear appears, and then moves from node to node, an add and a remove each. */
  next(): Buffer;
  /** Nothing is half moved. */
  isSettled(): boolean;
  /** `address:port` of a gear by now. */
  whereIs(gear: number): string;
}

export function createDistrict(): District {
  const nodeOf = new Int32Array(GEARS).fill(-1);
  let turn = 0;
  let leaving: number | null = null;
  const address = (gear: number, node: number): string =>
    `10.${node % NODES}.${gear >> 12}.${(gear >> 4) & 0xff}`;
  const at = (gear: number, node: number) => ({
    gearId: gearId(gear),
    address: address(gear, node),
    port: 40_000 + (gear & 0xf),
  });
  return {
    next() {
      if (leaving !== null) {
        const gear = leaving;
        leaving = null;
        return removeEndpoint(appOf(gear >> 1), at(gear, (nodeOf[gear] ?? 0) - 1));
      }
      const gear = turn % GEARS;
      turn += 1;
      const node = (nodeOf[gear] ?? 0) + 1;
      nodeOf[gear] = node;
      if (node > 0) leaving = gear;
      return addEndpoint(appOf(gear >> 1), at(gear, node));
    },
    isSettled: () => leaving === null,
    whereIs(gear) {
      const { address: now, port } = at(gear, nodeOf[gear] ?? 0);
      return `${now}:${port}`;
    },
  };
}

export const aliasOf = (n: number): Buffer => addAlias(appOf(n), `www.app${n}.test`);

function sendFrame(destination: string, body: Buffer, headers = ''): Buffer {
  const head = `SEND\ndestination:${destination}\n${headers}content-length:${body.length}\n\n`;
  return Buffer.concat([Buffer.from(head), body, Buffer.from('\0')]);
}

async function login(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.write('CONNECT\naccept-version:1.2\nhost:x\n\n\0');
  await new Promise((resolve, reject) => {
    socket.once('data', resolve);
    socket.once('error', reject);
  });
  return socket;
}

async function logout(socket: Socket): Promise<void> {
  socket.write('DISCONNECT\nreceipt:bye\n\n\0');
  await new Promise((resolve) => socket.once('data', resolve));
  socket.destroy();
}

/** SENDs without receipts, `persistent` left out, as the plugin does, `perSecond` of them or as fast as the socket takes them; how many a second went. */
export async function pour(
  port: number,
  destination: string,
  bodies: readonly Buffer[],
  perSecond: number,
): Promise<number> {
  const frames = bodies.map((body) => sendFrame(destination, body));
  const socket = await login(port);
  const began = performance.now();
  for (let sent = 0; sent < frames.length; ) {
    const due = Math.ceil(((performance.now() - began + WRITE_EVERY_MS) / 1_000) * perSecond);
    const end = Math.min(frames.length, due, sent + 1_000);
    const isFree = end === sent || socket.write(Buffer.concat(frames.slice(sent, end)));
    sent = end;
    if (!isFree) await new Promise((resolve) => socket.once('drain', resolve));
    else await sleep(perSecond === Number.POSITIVE_INFINITY ? 0 : WRITE_EVERY_MS);
  }
  await logout(socket);
  return frames.length / ((performance.now() - began) / 1_000);
}

/** Persistent SENDs by several connections until the time is over, each confirmed; how many were. Bodies from `next`; null ends it. */
export async function confirm(
  port: number,
  destination: string,
  publishers: number,
  seconds: number,
  next: () => Buffer | null,
): Promise<number> {
  const end = performance.now() + seconds * 1_000;
  const publish = async (): Promise<number> => {
    const socket = await login(port);
    let [sent, confirmed] = [0, 0];
    let wake = (): void => undefined;
    socket.on('data', (chunk: Buffer) => {
      // Nothing but RECEIPTs comes, and each ends with one NUL.
      for (let at = chunk.indexOf(0); at !== -1; at = chunk.indexOf(0, at + 1)) confirmed += 1;
      wake();
    });
    for (let isOver = false; !isOver || confirmed < sent; ) {
      const frames: Buffer[] = [];
      while (!isOver && sent - confirmed < WINDOW) {
        const body = performance.now() < end ? next() : null;
        isOver = body === null;
        if (body !== null) frames.push(sendFrame(destination, body, `persistent:true\nreceipt:${sent++}\n`));
      }
      if (frames.length > 0) socket.write(Buffer.concat(frames));
      if (confirmed < sent)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
    socket.removeAllListeners('data');
    await logout(socket);
    return confirmed;
  };
  const all = await Promise.all(Array.from({ length: publishers }, publish));
  return all.reduce((sum, confirmed) => sum + confirmed, 0);
}

/** A consumer that does nothing with what it gets but to ack it, cumulatively as Headgear does: what the message bus can give at most. */
export async function startNullConsumer(port: number, destination: string): Promise<() => void> {
  const socket = await login(port);
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const end = bytes.lastIndexOf(0);
    rest = Buffer.from(bytes.subarray(end + 1));
    if (end === -1) return;
    const at = bytes.lastIndexOf('\nack:', end);
    const id = bytes.toString('latin1', at + 5, bytes.indexOf(10, at + 5));
    socket.write(`ACK\nid:${id}\n\n\0`);
  });
  socket.write(
    `SUBSCRIBE\nid:null\ndestination:${destination}\nack:client\nactivemq.prefetchSize:2000\n\n\0`,
  );
  return () => socket.destroy();
}
