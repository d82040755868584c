import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { nginxEvents } from '../../src/sources/nginx-events.ts';
import { readNginxFolder } from '../../src/sources/nginx-folder.ts';
import { poolNames } from '../../src/sources/pool-names.ts';
import { UNKNOWN_GEAR } from '../../src/spi/names.ts';
import { nginxFolder } from '../support/nginx-folder.ts';

const POOL = 'pool_ose_store_shop_80';
const pair = { chainPem: 'the chain\n', privateKeyPem: 'the key\n' };

const folderFor = (t: TestContext) => {
  const folder = nginxFolder();
  t.after(folder.remove);
  const read = (poolName = 'pool_ose_%a_%n_80') =>
    readNginxFolder({
      dir: folder.dir,
      poolName,
      endpointType: 'load_balancer',
      isImplied: (app, host) => host === `ha-${app.appName}-${app.namespace}.apps.test`,
    });
  return { ...folder, read };
};

test('pools, members, aliases and certificates map back to their applications', async (t) => {
  const folder = folderFor(t);
  folder.pool(POOL, ['10.0.0.1:4000', '10.0.0.2:4001', '10.0.0.1:4000']);
  folder.pool('pool_ose_New_Shop_80', []);
  folder.alias(POOL, 'ha-store-shop.apps.test');
  folder.alias(POOL, 'www.example.com', pair);
  const picture = await folder.read();
  assert.deepEqual(picture.problems, []);
  assert.deepEqual([...picture.apps.keys()].sort(), ['shop/new', 'shop/store']);
  const store = picture.apps.get('shop/store');
  assert.deepEqual(
    store?.endpoints.map(({ address, port, gearId, types }) => [address, port, gearId, types]),
    [
      ['10.0.0.1', 4000, UNKNOWN_GEAR, ['load_balancer']],
      ['10.0.0.2', 4001, UNKNOWN_GEAR, ['load_balancer']],
    ],
  );
  assert.deepEqual(store?.aliases, ['www.example.com']);
  const events = [];
  for await (const event of nginxEvents(picture, (problem) => assert.fail(problem.reason)))
    events.push(event);
  assert.deepEqual(events.at(-1), {
    action: 'add_ssl',
    app: { appName: 'store', namespace: 'shop' },
    alias: 'www.example.com',
    certificatePem: pair.chainPem,
    privateKeyPem: pair.privateKeyPem,
    passPhrase: null,
  });
});

test('a certificate that came before its alias is found although nginx never served it', async (t) => {
  const folder = folderFor(t);
  folder.pool(POOL, ['10.0.0.1:4000']);
  folder.file('www.example.com.crt', 'chain');
  folder.file('www.example.com.key', 'key');
  folder.alias(POOL, 'www.example.com');
  const { certificateFiles } = await folder.read();
  assert.deepEqual(
    certificateFiles.map(({ alias }) => alias),
    ['www.example.com'],
  );
});

test('what cannot be mapped is named, and the rest goes on', async (t) => {
  const folder = folderFor(t);
  folder.pool(POOL, [
    '10.0.0.1:4000',
    'gear.example.com:80',
    '10.0.0.3',
    '10.0.0.4:5 down',
    '[2001:db8::1]:6 weight=2',
  ]);
  folder.pool('by_hand', ['10.9.9.9:80']);
  folder.alias('by_hand', 'hand.example.com');
  folder.alias(POOL, '*.example.com');
  folder.alias('pool_ose_other_shop_80', 'www.example.com');
  folder.alias(POOL, 'www.example.com');
  folder.file('lost.example.com.key', 'key');
  folder.file(`alias_${POOL}_empty.example.com.conf`, '# nothing\n');
  folder.file('huge.conf', ' '.repeat(1_048_577));
  const { apps, problems } = await folder.read();
  assert.deepEqual(
    apps.get('shop/store')?.endpoints.map(({ address }) => address),
    ['10.0.0.1', '2001:db8::1'],
  );
  const of = (where: RegExp) =>
    problems.filter((problem) => where.test(problem.where)).map(({ code }) => code);
  assert.deepEqual(of(/^pool_ose_store/), [
    'SOURCES_NOT_MAPPED',
    'SOURCES_NOT_MAPPED',
    'SOURCES_NOT_MAPPED',
    'SOURCES_PARAMETERS',
  ]);
  assert.deepEqual(of(/by_hand/), ['SOURCES_NOT_MAPPED', 'SOURCES_NOT_MAPPED', 'SOURCES_NOT_MAPPED']);
  assert.deepEqual(of(/^lost/), ['SOURCES_NOT_MAPPED']);
  assert.deepEqual(of(/empty/), ['SOURCES_NOT_MAPPED']);
  assert.deepEqual(of(/huge/), ['SOURCES_UNREADABLE']);
  assert.ok(of(/store_shop_80_www|store_shop_80_\*/).includes('SOURCES_ALIAS_TWICE'));
  assert.doesNotMatch(JSON.stringify(problems), /"key"/);
});

test('a POOL_NAME that could mean two applications maps nothing', () => {
  for (const format of ['pool_%a%n', 'pool_%a', '%n0%a', '%a_%a_%n', 'pool'])
    assert.equal(poolNames(format).ok, false, format);
  const names = poolNames('(%n)+%x.%a|');
  assert.ok(names.ok);
  assert.deepEqual(names.appOf('(Shop)+.Store|'), { appName: 'store', namespace: 'shop' });
  for (const pool of ['(a-b)+.c|', '(a)+.|', 'x(a)+.b|', `(a)+.${'b'.repeat(33)}|`])
    assert.equal(names.appOf(pool), null, pool);
});
