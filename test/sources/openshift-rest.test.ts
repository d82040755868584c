import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { getJson } from '../../src/sources/bounded-get.ts';
import { type OpenShiftOptions, readOpenShift } from '../../src/sources/openshift-rest.ts';
import { UNKNOWN_GEAR } from '../../src/spi/names.ts';
import { brokerEndpoint, startOpenShiftBroker } from '../support/openshift-broker.ts';

const GEAR = '542b72abafec2de3aa000009';

async function started(t: TestContext) {
  const broker = await startOpenShiftBroker();
  t.after(broker.stop);
  broker.applications = [
    {
      name: 'store',
      namespace: 'shop',
      scalable: true,
      aliases: ['www.example.com'],
      gears: { [GEAR]: [brokerEndpoint('10.0.0.1', 4000)] },
    },
  ];
  const read = (over: Partial<OpenShiftOptions> = {}) =>
    readOpenShift({ url: broker.url, authorization: 'Basic eA==', ...over });
  return { broker, read };
}

test('applications, aliases and endpoints come out of the bodies that the broker sends', async (t) => {
  const { broker, read } = await started(t);
  broker.applications.push(
    { name: 'blog', namespace: 'shop', scalable: false, aliases: [], gears: { x: [] } },
    {
      name: 'other',
      namespace: 'shop',
      scalable: true,
      aliases: [],
      gears: { 'shop-other-1': [brokerEndpoint('10.0.0.2', 1)] },
    },
  );
  const picture = await read();
  assert.deepEqual(picture.problems, []);
  const store = picture.apps.get('shop/store');
  assert.deepEqual(
    [store?.scalable, store?.aliases, store?.endpoints.length],
    [true, ['www.example.com'], 1],
  );
  assert.deepEqual(store?.endpoints[0], {
    gearId: GEAR,
    cartridge: 'haproxy-1.4',
    address: '10.0.0.1',
    port: 4000,
    protocols: ['http', 'ws'],
    types: ['load_balancer'],
    mappings: [
      { frontend: '', backend: '' },
      { frontend: '/health', backend: '/configuration/health' },
    ],
  });
  assert.equal(picture.apps.get('shop/blog')?.scalable, false);
  // The uuid of a predictable id is not what the events carry.
  assert.equal(picture.apps.get('shop/other')?.endpoints[0]?.gearId, UNKNOWN_GEAR);
  assert.deepEqual(
    broker.asked.filter((path) => path.includes('/blog/')),
    [],
  );
  assert.deepEqual([...broker.authorizations], ['Basic eA==']);
});

test('one thing of an application that cannot be is named, and the rest is taken', async (t) => {
  const { broker, read } = await started(t);
  broker.applications = [
    {
      name: 'store',
      namespace: 'shop',
      scalable: true,
      aliases: ['*.bad'],
      gears: { [GEAR]: [brokerEndpoint('gear.example.com', 1), brokerEndpoint('10.0.0.1', 2)] },
    },
  ];
  const { apps, problems } = await read();
  assert.deepEqual(
    problems.map(({ code, where }) => [code, where]),
    [
      ['SPI_ALIAS_INVALID', 'shop/store'],
      ['SPI_ADDRESS_INVALID', 'shop/store'],
    ],
  );
  assert.equal(apps.get('shop/store')?.endpoints.length, 1);
});

test('half a picture is none: a part that fails, lies or lacks types ends the whole', async (t) => {
  const { broker, read } = await started(t);
  broker.answer = (request, response) => {
    if (!request.url?.includes('gear_groups')) return false;
    response.writeHead(500).end();
    return true;
  };
  await assert.rejects(read(), /SOURCES_STATUS: .* answered 500/);
  for (const body of ['{"data":{}}', '[]', 'null', '{"data":[null]}', '<html>']) {
    broker.answer = (_request, response) => {
      response.writeHead(200).end(body);
      return true;
    };
    await assert.rejects(read(), /SOURCES_NOT_(UNDERSTOOD|JSON)/, body);
  }
  broker.answer = () => false;
  const { types: _none, ...old } = brokerEndpoint('10.0.0.1', 1);
  broker.applications = [{ name: 'a', namespace: 'b', scalable: true, aliases: [], gears: { x: [old] } }];
  await assert.rejects(read(), /too old to reconcile endpoints/);
  broker.applications = [{ name: '../../x', namespace: 'b', scalable: true, aliases: [], gears: {} }];
  await assert.rejects(read(), /has no name/);
});

test('a server that streams for ever, dribbles, hangs up or redirects is given up', async (t) => {
  const { broker, read } = await started(t);
  broker.answer = (_request, response) => {
    response.writeHead(302, { Location: 'http://127.0.0.1:1/steal' }).end();
    return true;
  };
  await assert.rejects(read(), /SOURCES_REDIRECTED/);
  assert.equal(broker.asked.length, 1);

  broker.answer = (_request, response) => {
    response.writeHead(200);
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536, ' ')));
      if (!response.destroyed) response.once('drain', more);
    };
    more();
    return true;
  };
  await assert.rejects(getJson(broker.url, { timeoutMs: 30_000, maxBytes: 1_048_576 }), /SOURCES_TOO_LARGE/);

  broker.answer = (_request, response) => {
    response.writeHead(200).write('[');
    return true;
  };
  await assert.rejects(read({ timeoutMs: 100 }), /SOURCES_TIMEOUT/);

  broker.answer = (_request, response) => {
    response.writeHead(200, { 'Content-Length': '100' }).write('[', () => response.destroy());
    return true;
  };
  await assert.rejects(read(), /SOURCES_(BROKEN|UNREACHABLE)/);
  await broker.stop();
  await assert.rejects(read(), /SOURCES_UNREACHABLE/);
});
