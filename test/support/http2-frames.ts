/** A raw HTTP/2 client for tests: sends exactly the frames it is given, and keeps what comes (RFC 9113 4.1, RFC 7541). */
import { once } from 'node:events';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { HOST } from './data-plane.ts';
import { eventually } from './eventually.ts';

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const;
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;
/** What a client says first (RFC 9113 3.4). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const CODE = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refused: 7,
  cancel: 8,
  compression: 9,
  calm: 11,
} as const;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export interface RawHttp2 {
  readonly socket: TLSSocket;
  /** What came, in order. SETTINGS and PING are acked; windows are not opened again. */
  readonly frames: readonly Frame[];
  send(...frames: readonly Buffer[]): void;
  /** The first frame that fits, when it has come. */
  find(what: string, fits: (frame: Frame) => boolean): Promise<Frame>;
  /** Status of the answer on a stream, when its head has come. The first answer on a connection only. */
  status(stream: number): Promise<number>;
  /** Code of the RST_STREAM of a stream, when it has come. */
  reset(stream: number): Promise<number>;
  /** Code of the last GOAWAY, when the connection is closed; null: closed without one. */
  closed(): Promise<number | null>;
  readonly ended: boolean;
  destroy(): void;
}

/** One frame; `length` lies about the payload's. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array | string = '',
  length?: number,
): Buffer {
  const body = Buffer.from(payload as string);
  const head = Buffer.alloc(9);
  head.writeUIntBE(length ?? body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

/** Fields as literals without indexing: whatever bytes they hold. */
export function fieldBlock(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
  length.push(rest);
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** The usual pseudo-header fields and these. */
export function requestFields(
  more: readonly (readonly [string, string])[] = [],
  path = '/',
  method = 'GET',
): readonly (readonly [string, string])[] {
  return [[':method', method], [':scheme', 'https'], [':path', path], [':authority', HOST], ...more];
}

/** A whole request head; the stream stays open with `open`. */
export function headers(
  stream: number,
  fields: readonly (readonly [string, string])[] = requestFields(),
  open = false,
): Buffer {
  return frame(FRAME.headers, FLAG.endHeaders | (open ? 0 : FLAG.endStream), stream, fieldBlock(fields));
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A SETTINGS frame of pairs of id and value. */
export function settings(...pairs: readonly (readonly [number, number])[]): Buffer {
  const payload = pairs.map(([id, value]) =>
    Buffer.concat([Buffer.from([id >> 8, id & 255]), uint32(value)]),
  );
  return frame(FRAME.settings, 0, 0, Buffer.concat(payload));
}

/** Connects with `h2`, sends the preface and these SETTINGS (none: an empty frame), or whatever is given in their place. */
export async function connectFrames(
  port: number,
  first: Buffer = settings(),
  preface: Buffer = PREFACE,
): Promise<RawHttp2> {
  const socket = tlsConnect({
    host: '127.0.0.1',
    port,
    servername: HOST,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  });
  await once(socket, 'secureConnect');
  const frames: Frame[] = [];
  let pending: Buffer = Buffer.alloc(0);
  let ended = false;
  const send = (...out: readonly Buffer[]): void => {
    if (!socket.destroyed && socket.writable) socket.write(Buffer.concat(out));
  };
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 9 && pending.length >= 9 + pending.readUIntBE(0, 3)) {
      const end = 9 + pending.readUIntBE(0, 3);
      const [, , , type = 0, flags = 0] = pending;
      frames.push({ type, flags, stream: pending.readUInt32BE(5), payload: pending.subarray(9, end) });
      if (type === FRAME.settings && (flags & FLAG.ack) === 0) send(frame(FRAME.settings, FLAG.ack, 0));
      if (type === FRAME.ping && (flags & FLAG.ack) === 0) {
        send(frame(FRAME.ping, FLAG.ack, 0, pending.subarray(9, end)));
      }
      pending = pending.subarray(end);
    }
  });
  socket.on('error', () => {});
  const onOver = (): void => {
    ended = true;
  };
  socket.on('end', onOver);
  socket.on('close', onOver);
  send(preface, first);
  const find = (what: string, fits: (frame: Frame) => boolean): Promise<Frame> =>
    eventually(() => frames.find(fits), `${what} among ${frames.map(({ type }) => type).join(' ')}`);
  return {
    socket,
    frames,
    send,
    find,
    async status(stream) {
      const head = await find('an answer', (seen) => seen.type === FRAME.headers && seen.stream === stream);
      return statusOf(head.payload);
    },
    async reset(stream) {
      const seen = await find('RST_STREAM', ({ type, stream: id }) => type === FRAME.reset && id === stream);
      return seen.payload.readUInt32BE(0);
    },
    async closed() {
      await eventually(() => ended, 'the end of the connection');
      return frames.findLast(({ type }) => type === FRAME.goaway)?.payload.readUInt32BE(4) ?? null;
    },
    get ended() {
      return ended;
    },
    destroy: () => void socket.destroy(),
  };
}

/** Ended, or about to be. */
export function isOver(raw: RawHttp2): boolean {
  return raw.ended || raw.frames.some(({ type }) => type === FRAME.goaway);
}

/**
 * Resolves when all that was sent has been dealt with, or the connection is over. Two pings: a reset may wait behind the answer to the
 * first, which is urgent.
 */
export async function roundTrips(raw: RawHttp2): Promise<void> {
  for (let trip = 0; trip < 2; trip++) {
    const ping = Buffer.from(`headgear${trip}`).subarray(1);
    raw.send(frame(FRAME.ping, 0, 0, ping));
    const isBack = ({ type, payload }: Frame): boolean => type === FRAME.ping && payload.equals(ping);
    await eventually(() => isOver(raw) || raw.frames.some(isBack), 'an ack, a GOAWAY or the end');
    if (isOver(raw)) return;
  }
}

const STATIC_STATUS = [200, 204, 206, 304, 400, 404, 500];

/** `:status` from the beginning of a field block: indexed, or a literal of three digits (RFC 7541 6.1, 6.2, appendix B). */
function statusOf(block: Buffer): number {
  let at = 0;
  // A change of the dynamic table's size may come first.
  while (((block[at] ?? 0) & 0xe0) === 0x20) {
    const long = ((block[at++] ?? 0) & 0x1f) === 0x1f;
    while (long && (block[at++] ?? 0) >= 0x80);
  }
  const first = block[at] ?? 0;
  if (first >= 0x88 && first <= 0x8e) return STATIC_STATUS[first - 0x88] ?? 0;
  const length = block[at + 1] ?? 0;
  const value = block.subarray(at + 2, at + 2 + (length & 0x7f));
  if (length < 0x80) return Number(value.toString('latin1'));
  let bits = [...value].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  let digits = '';
  while (digits.length < 3) {
    // 0 to 2 have five bits, 3 to 9 six.
    const small = Number.parseInt(bits.slice(0, 5), 2);
    digits += small <= 2 ? small : Number.parseInt(bits.slice(0, 6), 2) - 0b011001 + 3;
    bits = bits.slice(small <= 2 ? 5 : 6);
  }
  return Number(digits);
}
