/** What requests on a stream are refused for by rules of our own. Those of RFC 9113 are in `test/http2-conformance/`. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { publishedCertificate } from '../support/certificates.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { type Gear, startGear } from '../support/gear.ts';
import { connectHttp2, type Http2Client } from '../support/http2-client.ts';
import {
  CODE,
  connectFrames,
  FRAME,
  headers,
  type RawHttp2,
  requestFields,
} from '../support/http2-frames.ts';

type Fields = readonly (readonly [string, string])[];

describe('a request over HTTP/2', () => {
  let edge: DataPlane;
  let gear: Gear;
  let raw: RawHttp2 | null = null;
  before(async () => {
    gear = await startGear();
    edge = await startDataPlane({ http: { maxHeadBytes: 4_000, maxHeaders: 20, maxTargetBytes: 1_000 } }, [
      '*.apps.example.test',
    ]);
    await edge.route([endpointAt(gear.port)]);
  });
  afterEach(() => raw?.destroy());
  after(async () => {
    await edge.stop();
    await gear.stop();
  });
  /** `reset N` or `status N`: whichever comes. */
  const outcome = async (fields: Fields): Promise<string> => {
    raw = await connectFrames(edge.httpsPort);
    raw.send(headers(1, fields));
    const client = raw;
    const seen = await client.find(
      'an answer or a reset',
      ({ type, stream }) => stream === 1 && (type === FRAME.headers || type === FRAME.reset),
    );
    return seen.type === FRAME.reset
      ? `reset ${seen.payload.readUInt32BE(0)}`
      : `status ${await client.status(1)}`;
  };
  const withField = (name: string, value: string): Fields => requestFields([[name, value]]);
  const without = (name: string): Fields => requestFields().filter(([known]) => known !== name);

  const answered: readonly (readonly [string, string, Fields])[] = [
    ['a blank in :path', '400', requestFields([], '/a b')],
    ['a fragment in :path', '400', requestFields([], '/a#b')],
    ['bytes outside ASCII in :path', '400', requestFields([], '/\xe4')],
    ['a scheme that is none of ours', '400', [...without(':scheme'), [':scheme', 'ftp']]],
    ['a Host that disagrees', '400', withField('host', 'victim.apps.example.test')],
    ['neither :authority nor Host', '400', without(':authority')],
    ['`*` for GET', '400', requestFields([], '*')],
    ['an unknown expectation', '417', withField('expect', 'miracles')],
    ['a target above the limit', '414', requestFields([], `/${'a'.repeat(1_001)}`)],
    ['a head above the limit', '431', withField('x', 'y'.repeat(4_001))],
    ['too many fields', '431', requestFields(Array.from({ length: 25 }, () => ['x', 'y'] as const))],
  ];
  for (const [what, status, fields] of answered) {
    it(`with ${what} gets ${status}, and no gear sees it`, async () => {
      const seen = gear.requests.length;
      assert.match(await outcome(fields), new RegExp(`^(status ${status}|reset 1)$`));
      assert.equal(gear.requests.length, seen);
    });
  }

  for (const authority of ['user@app', 'a b', 'a/b', 'a:99999', '[::1', 'a..b']) {
    it(`with :authority ${authority} is refused`, async () => {
      const fields = [...without(':authority'), [':authority', authority]] as Fields;
      assert.match(await outcome(fields), /^(reset 1|status 400)$/);
    });
  }

  it('with Host that agrees with :authority passes, as one Host', async () => {
    assert.equal(await outcome(withField('host', `${HOST.toUpperCase()}:443`)), 'status 200');
    const names = (gear.requests.at(-1)?.rawHeaders ?? []).filter((text) => text.toLowerCase() === 'host');
    assert.equal(names.length, 1);
  });

  it('with Host alone passes', async () => {
    assert.equal(await outcome([...without(':authority'), ['host', HOST]]), 'status 200');
  });

  it('with far more fields than the limit is reset by the library', async () => {
    const fields = requestFields(Array.from({ length: 200 }, () => ['x', 'y'] as const));
    assert.equal(await outcome(fields), `reset ${CODE.calm}`);
  });

  it('CONNECT is refused', async () => {
    assert.match(
      await outcome([
        [':method', 'CONNECT'],
        [':authority', `${HOST}:22`],
      ]),
      /^(status 501|reset 1)$/,
    );
  });
});

describe(':authority against the certificate of the connection', () => {
  const ALIAS = 'www.tenant.example';
  const OTHER = 'other-ns.apps.example.test';
  let edge: DataPlane;
  let gear: Gear;
  const clients: Http2Client[] = [];
  const start = async (...overrides: Parameters<typeof startDataPlane>): Promise<void> => {
    edge = await startDataPlane(...overrides);
    gear = await startGear();
    await edge.route([endpointAt(gear.port)]);
    await edge.route([endpointAt(gear.port)], { host: OTHER, app: 'ns/other' });
    await edge.route([endpointAt(gear.port)], { host: ALIAS, hostRoute: { kind: 'alias' } });
    await edge.certificate(ALIAS, publishedCertificate([ALIAS]));
  };
  const statusOf = async (servername: string, authority: string): Promise<number> => {
    const client = await connectHttp2(edge.httpsPort, { servername });
    clients.push(client);
    return (await client.request({ ':authority': authority })).status;
  };
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await edge.stop();
    await gear.stop();
  });

  it('the same host, and hosts under the same certificate, are served; all others get 421', async () => {
    await start({}, ['*.apps.example.test']);
    assert.equal(await statusOf(HOST, `${HOST}:443`), 200);
    assert.equal(await statusOf(HOST, OTHER), 200);
    assert.equal(await statusOf(ALIAS, ALIAS), 200);
    assert.equal(await statusOf(HOST, ALIAS), 421);
    assert.equal(await statusOf(ALIAS, HOST), 421);
    assert.equal(edge.finished.at(-1)?.failure, 'MISDIRECTED');
    assert.equal(gear.requests.length, 3);
  });

  it('a 421 says why, and the connection stays usable', async () => {
    await start({}, ['*.apps.example.test']);
    const client = await connectHttp2(edge.httpsPort);
    clients.push(client);
    const refused = await client.request({ ':authority': ALIAS });
    assert.deepEqual([refused.status, refused.headers['headgear-failure']], [421, 'MISDIRECTED']);
    assert.equal((await client.request()).status, 200);
  });

  it('is routed all the same where the configuration says so', async () => {
    await start({ tls: { misdirected: 'route' } }, ['*.apps.example.test']);
    assert.equal(await statusOf(HOST, ALIAS), 200);
  });
});
