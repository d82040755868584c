/**
 * Cases of HTTP/2 as h2spec has them: frames that are sent to a real listener, and what the RFC wants to come back. The framing is
 * node:http2's; where that does something else without harm, a case says so in `instead`, so that a change of it is seen.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { type DataPlane, endpointAt, startDataPlane } from './data-plane.ts';
import { eventually } from './eventually.ts';
import { type Gear, startGear } from './gear.ts';
import { connectHttp2, type Http2Client } from './http2-client.ts';
import { CODE, connectFrames, FLAG, FRAME, type Frame, type RawHttp2, roundTrips } from './http2-frames.ts';

/**
 * `ends`: the connection is over, with the code of its GOAWAY where there was one. `reset`: a stream alone. `status`: the first answer.
 * `lives`: none of these, and the connection serves on.
 */
export type Outcome = `ends ${number}` | 'ends' | `reset ${number}` | `status ${number}` | 'lives';

export interface Case {
  readonly section: string;
  readonly what: string;
  /** A whole exchange on stream 1 before, to its end. */
  readonly first?: readonly Buffer[];
  readonly send: readonly Buffer[];
  /** What the RFC asks for. */
  readonly wants: readonly Outcome[];
  /** What the library does instead, without harm. */
  readonly instead?: readonly Outcome[];
  /** Whether a gear may get to see a whole request of it; where it may not, none must. */
  readonly served?: false;
}

const BYSTANDER = '/bystander';

/** What stands ready for a suite: an edge, a gear behind it, and a client whose connection nothing may disturb. */
export class Conformance {
  #edge: DataPlane | null = null;
  #gear: Gear | null = null;
  #bystander: Http2Client | null = null;
  #raw: RawHttp2 | null = null;

  async start(): Promise<void> {
    this.#gear = await startGear();
    this.#edge = await startDataPlane(
      { http: { keepAliveTimeoutMs: 10_000, bodyIdleTimeoutMs: 10_000 }, http2: { maxConcurrentStreams: 8 } },
      ['*.apps.example.test'],
    );
    await this.#edge.route([endpointAt(this.#gear.port)]);
    this.#bystander = await connectHttp2(this.#edge.httpsPort);
    // From its first answers the way past the library's stream is learnt: the cases are to meet that.
    for (let round = 0; round < 3; round++) await this.assertOthersAreServed();
  }

  /** Nobody is served any more. */
  dismiss(): void {
    this.#bystander?.destroy();
  }

  async stop(): Promise<void> {
    this.dismiss();
    await this.edge.stop();
    await this.gear.stop();
  }

  get edge(): DataPlane {
    return this.#edge ?? assert.fail('not started');
  }

  get gear(): Gear {
    return this.#gear ?? assert.fail('not started');
  }

  /** A connection of raw frames; one at a time. */
  async connect(first?: Buffer, preface?: Buffer): Promise<RawHttp2> {
    this.#raw = await connectFrames(this.edge.httpsPort, first, preface);
    return this.#raw;
  }

  disconnect(): void {
    this.#raw?.destroy();
    this.#raw = null;
  }

  async assertOthersAreServed(): Promise<void> {
    assert.equal((await this.#bystander?.request({ ':path': BYSTANDER }))?.status, 200);
  }

  /** Sends the frames of a case; what comes of them. */
  async outcomeOf({
    first = [],
    send,
    wants,
    instead = [],
  }: Pick<Case, 'first' | 'send' | 'wants' | 'instead'>) {
    const raw = await this.connect();
    if (first.length > 0) {
      raw.send(...first);
      await raw.find('the end of stream 1', (seen) => endsStream(seen) && seen.stream === 1);
    }
    const before = raw.frames.length;
    raw.send(...send);
    // An answer takes its time; of everything else we know when a ping behind it has come back.
    const answered = [...wants, ...instead].some((outcome) => outcome.startsWith('status'));
    if (answered) await eventually(() => raw.ended || raw.frames.slice(before).some(isAnswer), 'an answer');
    else await roundTrips(raw);
    return outcomeIn(raw, raw.frames.slice(before));
  }
}

function endsStream({ type, flags }: Frame): boolean {
  if (type === FRAME.reset) return true;
  return (type === FRAME.data || type === FRAME.headers) && (flags & FLAG.endStream) > 0;
}

function isAnswer({ type }: Frame): boolean {
  return type === FRAME.headers || type === FRAME.reset || type === FRAME.goaway;
}

async function outcomeIn(raw: RawHttp2, frames: readonly Frame[]): Promise<Outcome> {
  const goaway = frames.findLast(({ type }) => type === FRAME.goaway)?.payload.readUInt32BE(4);
  if (goaway !== undefined) return `ends ${goaway}`;
  if (raw.ended) return 'ends';
  const reset = frames.find(({ type }) => type === FRAME.reset)?.payload.readUInt32BE(0);
  if (reset !== undefined) return `reset ${reset}`;
  const answer = frames.find(({ type }) => type === FRAME.headers);
  return answer === undefined ? 'lives' : `status ${await raw.status(answer.stream)}`;
}

/** Node 20 loses the code of many errors of the connection, and the GOAWAY altogether where it closes at once. */
const LOSES_CODES = Number.parseInt(process.versions.node, 10) < 22;

export function assertFine(
  outcome: Outcome,
  wants: readonly Outcome[],
  instead: readonly Outcome[] = [],
): void {
  const codeless: readonly Outcome[] =
    LOSES_CODES && wants.some((want) => want.startsWith('ends')) ? [`ends ${CODE.internal}`, 'ends'] : [];
  assert.ok([...wants, ...instead, ...codeless].includes(outcome), `${outcome}, not ${wants.join(' or ')}`);
}

/** A suite of cases, one test each; `more`: further tests on the same edge. */
export function describeConformance(
  title: string,
  rfc: 'RFC 9113' | 'RFC 7541',
  cases: readonly Case[],
  more: (conformance: Conformance) => void = () => {},
): void {
  describe(title, () => {
    const conformance = new Conformance();
    before(() => conformance.start());
    afterEach(() => conformance.disconnect());
    after(() => conformance.stop());

    for (const one of cases) {
      it(`${rfc} ${one.section}: ${one.what}`, async () => {
        const seen = conformance.gear.requests.length;
        const outcome = await conformance.outcomeOf(one);
        assertFine(outcome, one.wants, one.instead);
        await conformance.assertOthersAreServed();
        if (one.served !== false) return;
        const whole = conformance.gear.requests
          .slice(seen)
          .filter(({ complete, url }) => complete && url !== BYSTANDER);
        assert.deepEqual(whole, [], 'a gear was asked');
      });
    }

    more(conformance);

    it('none of this leaves anything behind', async () => {
      conformance.disconnect();
      await conformance.assertOthersAreServed();
      conformance.dismiss();
      const { edge, gear } = conformance;
      await eventually(() => edge.plane.status().connections === 0, 'the end of every connection');
      await eventually(() => gear.openConnections === edge.plane.status().idleUpstreamConnections);
    });
  });
}
