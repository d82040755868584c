/**
 * The same bytes to the native engine, the second engine, nginx and HAProxy, each before an origin of its own that keeps what it sees. The
 * native engine may only pass what the bytes say in a strict reading; wherever another proxy has passed something else, a rule in
 * this file must say why.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { endpointAt, startDataPlane } from '../support/data-plane.ts';
import { skipWithout } from '../support/parts.ts';
import { CORPUS } from './corpus.ts';
import { startOtherProxy } from './other-proxies.ts';
import { type Recording, startRecordingOrigin } from './recording-origin.ts';
import { type ReadRequest, readStrictly } from './strict-reading.ts';

type OtherName = 'http-proxy' | 'nginx' | 'haproxy';

interface Outcome extends Recording {
  readonly statuses: readonly number[];
  /** Codes of Headgear's own answers. */
  readonly codes: readonly string[];
}

/** Codes with which the native engine refuses what another proxy passes on, and why it does. */
const STRICTER: Readonly<Record<string, string>> = {
  HTTP_ILLEGAL_BYTE:
    'a bare LF or CR ends a line for some gears and not for others; a control character has no place in a head',
  HTTP_REQUEST_LINE:
    'a request line that is not METHOD target HTTP/1.1 to the byte has more than one reading',
  HTTP_VERSION: 'only the versions that are spoken here',
  HTTP_FIELD_NAME:
    'blank before the colon, folding, names that are no token: gears differ about what they mean',
  HTTP_TWO_FRAMINGS:
    'RFC 9112 6.1 allows to go on with the coding; the sender is broken or an attacker all the same',
  HTTP_LENGTH_REPEATED: 'RFC 9110 8.6 allows to join equal ones; no honest client sends them',
  HTTP_LENGTH_INVALID: 'digits only, exact in a double',
  HTTP_CODING_UNKNOWN: 'a coding that we do not decode could hide a request',
  HTTP_CODING_REPEATED: 'a repeated Transfer-Encoding has the same two readings as two codings',
  HTTP_CODING_IN_10: 'RFC 9112 6.1: its framing is faulty',
  HTTP_HOST_MISSING: 'RFC 9112 3.2; nginx takes an empty Host for none at all',
  HTTP_HOST_REPEATED: 'RFC 9112 3.2: two Hosts are two tenants',
  HTTP_HOST_INVALID: 'what is no host name must not reach an application that builds links from it',
  HTTP_HOST_DISAGREES:
    'RFC 9112 3.2.2 lets the target win; a gear that goes by Host would serve another tenant',
  HTTP_CONNECTION_OPTION: 'a Connection field that is no list of tokens',
  HTTP_EXPECT: 'RFC 9110 10.1.1: 417 for an expectation that nobody here knows',
  HTTP_TARGET_BYTES: 'fragments and raw bytes have no place in a target',
  HTTP_TARGET_ASTERISK: 'for OPTIONS only',
  HTTP_TARGET_FORM: 'neither a path nor an http URL',
  HTTP_TARGET_TOO_LONG: 'the configured limit',
  HTTP_CONNECT: 'not a forward proxy',
  HTTP_BLANK_LINES: 'one or two empty lines are an old habit, more are not',
  HTTP_HEAD_TOO_LONG: 'the configured limit',
  BODY_INVALID:
    'chunk sizes to the byte, CRLF only: a lenient reader and a strict one would see two different ends',
  UNKNOWN_HOST: 'routes by Host; the others here have one origin for everything',
};

interface Rule {
  readonly why: string;
  readonly of: readonly OtherName[];
  /** Whether it explains that this proxy passed less, or another thing, for these bytes. */
  explains(text: string, other: Outcome, native: Outcome): boolean;
}

const NODE_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']);
const methodsOf = (text: string): string[] => readStrictly(text).requests.map(({ method }) => method);
const targetsOf = (text: string): string[] => readStrictly(text).requests.map(({ target }) => target);

/** Where another proxy passes less than the native engine, or something else. */
const LAXER: Readonly<Record<string, Rule>> = {
  NODE_METHODS: {
    why: "Node's parser knows a closed list of methods",
    of: ['http-proxy'],
    explains: (text, { codes }) =>
      codes.includes('HTTP_PARSE') && methodsOf(text).some((method) => !NODE_METHODS.has(method)),
  },
  NGINX_METHODS: {
    why: 'nginx takes methods of capitals, `_` and `-` only, and neither TRACE nor CONNECT; we pass any token: what a gear serves is its affair',
    of: ['nginx'],
    explains: (text) => methodsOf(text).some((method) => !/^[A-Z_-]+$/.test(method) || method === 'TRACE'),
  },
  HAPROXY_HALF_CLOSE: {
    why: 'HAProxy may close after an answer when the client has ended its side, with pipelined requests unanswered',
    of: ['haproxy'],
    explains: (_text, other, native) =>
      other.requests.length < native.requests.length &&
      other.requests.every((request, i) => shown(request) === shown(native.requests[i] ?? request)),
  },
  NGINX_TARGETS: {
    why: 'nginx maps targets to files, so it refuses `*`, %00, broken escapes and paths above the root; we pass targets byte for byte',
    of: ['nginx'],
    explains: (text) => targetsOf(text).some((target) => /^\*|%(?![0-9a-f]{2})|%00|\.\.|%2e/i.test(target)),
  },
};

/** A proxy that says nothing for so long, in milliseconds, waits for more: the request is not whole. */
const SILENCE_MS = 100;

/** Sends the bytes, ends once an answer begins or none seems to come, and gives back all that comes until the other side ends too. */
function send(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let received = '';
    const end = () => void socket.end();
    const silence = setTimeout(end, SILENCE_MS);
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      end();
    });
    socket.on('error', () => {});
    socket.on('end', end);
    socket.on('close', () => {
      clearTimeout(silence);
      resolve(received);
    });
    socket.setTimeout(10_000, () => socket.destroy());
    socket.write(Buffer.from(text, 'latin1'));
  });
}

interface Target {
  readonly port: number;
  outcome(text: string): Promise<Outcome>;
}

const shown = ({ method, target, host, body }: ReadRequest): string =>
  JSON.stringify([method, target, host, body]);

/** Whether `part` is `whole` with some members left out. */
function isPartOf(part: readonly string[], whole: readonly string[]): boolean {
  let at = 0;
  for (const member of whole) if (member === part[at]) at++;
  return at === part.length;
}

function rulesFor(name: OtherName, text: string, native: Outcome, other: Outcome): string | null {
  const ours = native.requests.map(shown);
  const theirs = other.requests.map(shown);
  if (ours.join() === theirs.join() && other.malformed.length === 0) return 'the same';
  const code = native.codes.find((known) => known in STRICTER);
  // They passed more, or garbage, where we said no.
  if (code !== undefined && isPartOf(ours, theirs)) return code;
  // The same where the connection ended before the answer could be given.
  const reading = readStrictly(text);
  if (reading.rest === 'malformed' && isPartOf(ours, theirs) && ours.length === reading.requests.length)
    return 'STRICT_READING';
  const rule = Object.entries(LAXER).find(
    ([, { of, explains }]) => of.includes(name) && explains(text, other, native),
  );
  return rule?.[0] ?? null;
}

describe('the same bytes to every proxy', () => {
  const targets = new Map<'native' | OtherName, Target>();
  const toStop: { stop(): Promise<void> }[] = [];
  const others: OtherName[] = ['http-proxy'];
  before(async () => {
    for (const name of ['nginx', 'haproxy'] as const) if (skipWithout(name) === false) others.push(name);
    for (const name of ['native', ...others] as const) {
      const origin = await startRecordingOrigin();
      toStop.push(origin);
      let port: number;
      if (name === 'nginx' || name === 'haproxy') {
        const proxy = await startOtherProxy(name, origin.port);
        toStop.push(proxy);
        port = proxy.port;
      } else {
        const edge = await startDataPlane({ http: { engine: name } });
        toStop.push(edge);
        await edge.route([endpointAt(origin.port)]);
        port = edge.port;
      }
      targets.set(name, {
        port,
        async outcome(text) {
          const received = await send(port, text);
          return {
            ...(await origin.take()),
            statuses: [...received.matchAll(/HTTP\/1\.[01] ([2-5][0-9]{2})/g)].map((match) =>
              Number(match[1]),
            ),
            codes: [...received.matchAll(/\r\nHeadgear-Failure: ([A-Z0-9_]+)/g)].map(
              (match) => match[1] ?? '',
            ),
          };
        },
      });
    }
  });
  after(async () => {
    for (const part of toStop.reverse()) await part.stop();
  });

  /** Fails when the native engine passed what the bytes do not say, or another proxy differs for no known reason. */
  async function compare(text: string): Promise<void> {
    const outcomes = new Map(
      await Promise.all(
        [...targets].map(async ([name, target]) => [name, await target.outcome(text)] as const),
      ),
    );
    const reading = readStrictly(text).requests.map(shown);
    for (const name of ['native', 'http-proxy'] as const) {
      const outcome = outcomes.get(name);
      assert.ok(outcome !== undefined);
      assert.deepEqual(outcome.malformed, [], `${name} passed on what is no request`);
      const seen = outcome.requests.map(shown);
      assert.ok(
        isPartOf(seen, reading),
        `${name} passed on what the client did not say:\n${seen.join('\n')}\nnot in\n${reading.join('\n')}`,
      );
    }
    const native = outcomes.get('native');
    assert.ok(native !== undefined);
    for (const name of others) {
      const other = outcomes.get(name);
      if (other !== undefined && rulesFor(name, text, native, other) === null) {
        const brief = (one: Outcome) => ({ ...one, requests: one.requests.map(shown) });
        const seen: object = { text, native: brief(native), other: brief(other) };
        assert.fail(`no rule explains ${name}: ${JSON.stringify(seen, null, 1)}`);
      }
    }
  }

  for (const { name, text } of CORPUS) it(name, () => compare(text));

  const mutation = fc.record({
    of: fc.constantFrom(...CORPUS.map(({ text }) => text).filter((text) => text.length < 1_000)),
    edits: fc.array(
      fc.record({
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        remove: fc.nat(3),
        insert: fc.constantFrom(
          '',
          '\r',
          '\n',
          '\r\n',
          '\r\n\r\n',
          ' ',
          '\t',
          ':',
          ',',
          ';',
          '0',
          '1',
          'a',
          '-',
          '_',
          '/',
          '\0',
          '\x0b',
          '\x7f',
          '\xa0',
          'Content-Length: 3\r\n',
          'Transfer-Encoding: chunked\r\n',
          'Host: other.test\r\n',
          '0\r\n\r\n',
        ),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  });
  const mutated = ({
    of,
    edits,
  }: {
    of: string;
    edits: readonly { at: number; remove: number; insert: string }[];
  }) =>
    edits.reduce((text, { at, remove, insert }) => {
      const from = Math.floor(at * text.length);
      return text.slice(0, from) + insert + text.slice(from + remove);
    }, of);

  for (const [what, seed] of [
    ['a fixed seed', 20_261_121],
    ['a seed of the day', Date.now() % 1_000_000_007],
  ] as const) {
    it(`mutations of them, by ${what}`, async () => {
      // fast-check names the seed of a failure.
      await fc.assert(
        fc.asyncProperty(mutation, (one) => compare(mutated(one))),
        { seed, numRuns: 150 },
      );
    });
  }
});
