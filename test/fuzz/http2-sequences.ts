/** Clients that send frames of HTTP/2 in any order, cut, doubled and broken, while a well-behaved one is served on a connection of its own. */
import assert from 'node:assert/strict';
import { type DataPlane, endpointAt, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Gear, startGear } from '../support/gear.ts';
import { connectHttp2 } from '../support/http2-client.ts';
import {
  CODE,
  connectFrames,
  FLAG,
  FRAME,
  fieldBlock,
  frame,
  headers,
  requestFields,
  settings,
  uint32,
} from '../support/http2-frames.ts';
import { type Corpus, Dice, fuzzCase, splits } from './mutate.ts';

const POST = requestFields([], '/', 'POST');
const BLOCK = fieldBlock(requestFields([['cookie', 'a=b']], '/bytes/20000'));
const STREAMS = [1, 3, 5, 7] as const;

const ofStream = (stream: number): readonly Buffer[] => [
  headers(stream),
  headers(stream, requestFields([], '/chunked/30000')),
  headers(stream, POST, true),
  headers(stream, requestFields([], '/stream')),
  frame(FRAME.headers, FLAG.endStream, stream, BLOCK.subarray(0, 30)),
  frame(FRAME.continuation, FLAG.endHeaders, stream, BLOCK.subarray(30)),
  frame(FRAME.data, 0, stream, 'some of it'),
  frame(FRAME.data, FLAG.endStream | FLAG.padded, stream, Buffer.from([2, 0x78, 0, 0])),
  frame(FRAME.reset, 0, stream, uint32(CODE.cancel)),
  frame(FRAME.window, 0, stream, uint32(5_000)),
  frame(FRAME.priority, 0, stream, Buffer.from([0, 0, 0, 1, 9])),
];
const PIECES: readonly Buffer[] = [
  ...STREAMS.flatMap(ofStream),
  settings(),
  settings([4, 0]),
  settings([4, 100_000], [1, 0]),
  frame(FRAME.settings, FLAG.ack, 0),
  frame(FRAME.ping, 0, 0, Buffer.alloc(8)),
  frame(FRAME.window, 0, 0, uint32(50_000)),
  frame(FRAME.goaway, 0, 0, Buffer.alloc(8)),
  frame(0x42, 0xff, 3, 'whatever'),
];
const CORPUS: Corpus = {
  pieces: PIECES,
  messages: [
    Buffer.concat([
      headers(1),
      headers(3, POST, true),
      frame(FRAME.data, FLAG.endStream, 3, 'body'),
      headers(5),
    ]),
    Buffer.concat([
      settings([4, 10]),
      headers(1, requestFields([], '/bytes/100')),
      frame(FRAME.window, 0, 1, uint32(90)),
    ]),
    Buffer.concat(STREAMS.flatMap((stream) => [headers(stream, requestFields([], '/slow/20'))])),
    Buffer.concat([
      frame(FRAME.headers, FLAG.endStream, 1, BLOCK.subarray(0, 30)),
      frame(FRAME.continuation, FLAG.endHeaders, 1, BLOCK.subarray(30)),
      headers(3, POST, true),
      frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 3, fieldBlock([['x-sum', '1']])),
    ]),
  ],
};
/** At the same time. */
const BATCH = 40;

/** An edge and a gear that live as long as the fuzzer runs. */
export class Http2Fuzzer {
  readonly #edge: DataPlane;
  readonly #gear: Gear;

  private constructor(edge: DataPlane, gear: Gear) {
    this.#edge = edge;
    this.#gear = gear;
  }

  static async start(): Promise<Http2Fuzzer> {
    const gear = await startGear();
    const edge = await startDataPlane(
      {
        http: { headTimeoutMs: 300, keepAliveTimeoutMs: 300, bodyIdleTimeoutMs: 300 },
        upstream: { responseTimeoutMs: 2_000, idleTimeoutMs: 300 },
      },
      ['*.apps.example.test'],
    );
    await edge.route([endpointAt(gear.port)]);
    return new Http2Fuzzer(edge, gear);
  }

  async stop(): Promise<void> {
    await this.#edge.stop();
    await this.#gear.stop();
  }

  /** Runs `count` hostile connections from `seed` on; rejects with the seed of the batch in which a promise was broken. */
  async run(seed: number, count: number): Promise<void> {
    for (let done = 0; done < count; done += BATCH) {
      try {
        await this.#batch(seed + done, Math.min(BATCH, count - done));
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`frames of HTTP/2, seed ${seed + done}: ${reason}`, { cause });
      }
    }
  }

  async #batch(seed: number, count: number): Promise<void> {
    const hostile = Array.from({ length: count }, (_, index) => this.#hostileClient(new Dice(seed + index)));
    const good = await connectHttp2(this.#edge.httpsPort);
    for (let round = 0; round < 5; round++) {
      const { status, body } = await good.request({ ':path': '/bytes/20000' });
      assert.deepEqual([status, body.length], [200, 20_000]);
    }
    good.destroy();
    await Promise.all(hostile);
    const { plane } = this.#edge;
    await eventually(() => plane.status().connections === 0, 'the end of every connection', 20_000);
    await eventually(() => this.#gear.openConnections === plane.status().idleUpstreamConnections);
    // What is kept of each for the test.
    (this.#gear.requests as unknown[]).length = 0;
    (this.#edge.finished as unknown[]).length = 0;
  }

  async #hostileClient(dice: Dice): Promise<void> {
    const raw = await connectFrames(this.#edge.httpsPort, dice.below(8) === 0 ? Buffer.alloc(0) : settings());
    for (const piece of splits(fuzzCase(CORPUS, dice), dice)) raw.send(piece);
    const next = dice.below(4);
    if (next === 0) raw.socket.end();
    else if (next === 1) raw.socket.pause();
    // Whatever it did, and does not do, it is let go in the end; one that does not read is told by us.
    if (next === 1) await eventually(() => this.#edge.plane.status().connections === 0, 'its end', 20_000);
    else await eventually(() => raw.ended, 'its end', 20_000);
    raw.destroy();
  }
}
