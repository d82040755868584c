import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takeOverRoutingDaemon } from '../../src/config/routing-daemon.ts';
import { validateConfig } from '../../src/config/validate.ts';

const take = (...lines: string[]) =>
  takeOverRoutingDaemon(lines.join('\n'), { machine: 'edge1', stateDir: '/var/lib/headgear' });
const configOf = (validated: ReturnType<typeof validateConfig>) => {
  assert.ok(validated.ok);
  return validated;
};
const noteOf = ({ notes }: ReturnType<typeof take>, key: string) => notes.find((note) => note.key === key);

test('the conf that the package ships with nginx chosen becomes a valid configuration', () => {
  const taken = take(
    '# comment',
    'LOAD_BALANCER=nginx',
    'UPDATE_INTERVAL=5',
    'LOGFILE=/var/log/openshift/routing-daemon.log',
    'LOGLEVEL=fatal',
    'HA_DNS_PREFIX="ha-"',
    'CLOUD_DOMAIN=Apps.Example.COM',
    'ACTIVEMQ_HOST=mq1.example.com, mq2.example.com:61614',
    'ACTIVEMQ_USER=routinginfo',
    "ACTIVEMQ_PASSWORD = 'pa#ss=word'",
    'ACTIVEMQ_PORT=61612',
    'ACTIVEMQ_DESTINATION=/topic/routinginfo',
    'ENDPOINT_TYPES=load_balancer, web_framework',
    'POOL_NAME=pool_ose_%a_%n_80',
    'HTTP_PORT=8080',
    'SSL_PORT=8443',
    'NGINX_SSL_CERTIFICATE=/etc/pki/wild.crt',
    'NGINX_SSL_KEY=/etc/pki/wild.key',
    'NGINX_CONFDIR=/etc/nginx/conf.d',
    'NGINX_SERVICE=nginx',
  );
  assert.deepEqual(taken.raw, {
    cloudDomain: 'apps.example.com',
    names: { haPrefix: 'ha-' },
    shadow: { nginxConfDir: '/etc/nginx/conf.d' },
    listeners: { http: [{ port: 8080 }], https: [{ port: 8443 }] },
    tls: { certificates: [{ certFile: '/etc/pki/wild.crt', keyFile: '/etc/pki/wild.key' }] },
    bus: {
      hosts: [
        { host: 'mq1.example.com', port: 61612 },
        { host: 'mq2.example.com', port: 61614 },
      ],
      login: 'routinginfo',
      passcode: 'pa#ss=word',
      destination: '/topic/routinginfo',
      clientId: 'headgear-edge1',
      subscriptionName: 'headgear',
    },
    stateDir: '/var/lib/headgear',
    endpoints: { types: ['load_balancer', 'web_framework'] },
    log: { file: '/var/log/openshift/routing-daemon.log', level: 'error' },
  });
  assert.equal(validateConfig(taken.raw).ok, true);
  assert.equal(taken.nginxFolder, '/etc/nginx/conf.d');
  assert.equal(taken.poolName, 'pool_ose_%a_%n_80');
});

test('every key gets a note, and one that nobody knows is said to be so', () => {
  const keys = [
    'LOAD_BALANCER',
    'UPDATE_INTERVAL',
    'NGINX_SERVICE',
    'ROUTE_NAME',
    'VIRTUAL_SERVER',
    'VIRTUAL_HTTPS_SERVER',
    'BIGIP_HOST',
    'BIGIP_PASSWORD',
    'LBAAS_KEYSTONE_PASSWORD',
    'NGINX_PLUS',
    'NGINX_PLUS_HEALTH_CHECK_URI',
    'NGINX_PLUS_HEALTH_CHECK_SHARED_MEMORY',
    'MONITOR_NAME',
    'MONITOR_TIMEOUT',
    'NGINX_CONFDIRR',
    'constructor',
  ];
  const taken = take(...keys.map((key) => `${key}=x`));
  for (const key of keys) assert.ok(noteOf(taken, key), key);
  for (const key of ['NGINX_CONFDIRR', 'constructor']) assert.equal(noteOf(taken, key)?.kind, 'unknown');
  assert.equal(noteOf(taken, 'MONITOR_NAME')?.kind, 'look');
  assert.equal(noteOf(taken, 'NGINX_PLUS_HEALTH_CHECK_URI')?.kind, 'obsolete');
  assert.doesNotMatch(JSON.stringify(taken.notes), /"x"/);
});

const plusKeys = ['INTERVAL', 'FAILS', 'PASSES', 'URI', 'MATCH_STATUS'].map(
  (name) => `NGINX_PLUS_HEALTH_CHECK_${name}`,
);
const monitorKeys = ['NAME', 'PATH', 'UP_CODE', 'TYPE', 'INTERVAL', 'TIMEOUT'].map(
  (name) => `MONITOR_${name}`,
);

test('each key of active checks is said with a reason of its own, and with keys that there are for what it names instead', () => {
  const taken = take('NGINX_PLUS=true', ...[...plusKeys, ...monitorKeys].map((key) => `${key}=x`));
  for (const key of [...plusKeys, ...monitorKeys]) assert.equal(noteOf(taken, key)?.kind, 'look', key);
  for (const keys of [plusKeys, monitorKeys])
    assert.equal(new Set(keys.map((key) => noteOf(taken, key)?.message)).size, keys.length);
  assert.match(noteOf(taken, 'NGINX_PLUS_HEALTH_CHECK_URI')?.message ?? '', /keepAwake\.path/);
  assert.match(noteOf(taken, 'MONITOR_INTERVAL')?.message ?? '', /keepAwake\.intervalMs/);
  assert.match(
    noteOf(taken, 'MONITOR_TIMEOUT')?.message ?? '',
    /upstream\.connectTimeoutMs.*keepAwake\.timeoutMs/,
  );
  const { config } = configOf(validateConfig(taken.raw));
  for (const { message } of taken.notes)
    for (const [, section = '', key = ''] of message.matchAll(/\b(keepAwake|upstream|endpoints)\.(\w+)/g))
      assert.ok(key in (config[section as 'keepAwake'] as object), `${section}.${key} is no key`);
  assert.doesNotMatch(JSON.stringify(taken.notes), /"x"/);
});

test('of checks by nginx that were off nothing is to be decided, of monitors there is', () => {
  const taken = take('NGINX_PLUS=false', ...[...plusKeys, ...monitorKeys].map((key) => `${key}=x`));
  for (const key of ['NGINX_PLUS', ...plusKeys]) assert.equal(noteOf(taken, key)?.kind, 'obsolete', key);
  for (const key of monitorKeys) assert.equal(noteOf(taken, key)?.kind, 'look', key);
});

test('plugin.activemq.pool goes before ACTIVEMQ_HOST, and fallback never turns verification off', () => {
  const taken = take(
    'CLOUD_DOMAIN=a.test',
    'ACTIVEMQ_HOST=old.test',
    'plugin.activemq.pool.size=2',
    'plugin.activemq.pool.1.host=mq1.test',
    'plugin.activemq.pool.1.port=61614',
    'plugin.activemq.pool.1.ssl=true',
    'plugin.activemq.pool.1.ssl.ca=/ca1.pem,/ca2.pem',
    'plugin.activemq.pool.1.ssl.cert=/c.pem',
    'plugin.activemq.pool.1.ssl.key=/k.pem',
    'plugin.activemq.pool.1.ssl.fallback=true',
    'plugin.activemq.pool.2.host=mq2.test',
  );
  const { hosts } = taken.raw.bus as { hosts: unknown };
  const tls = { caFile: '/ca1.pem', certFile: '/c.pem', keyFile: '/k.pem' };
  assert.deepEqual(hosts, [
    { host: 'mq1.test', port: 61614, tls },
    { host: 'mq2.test', port: 61613 },
  ]);
  assert.equal(noteOf(taken, 'ACTIVEMQ_HOST')?.kind, 'obsolete');
  assert.match(noteOf(taken, 'plugin.activemq.pool.1.ssl.ca')?.message ?? '', /ca2\.pem/);
  assert.equal(noteOf(taken, 'plugin.activemq.pool.1.ssl.fallback')?.kind, 'look');
  assert.deepEqual(
    taken.notes.filter(({ kind }) => kind === 'unknown'),
    [],
  );
});

test('what is missing is said: no domain, no certificate, a port that is none, a pool without hosts', () => {
  const taken = take(
    'HTTP_PORT=http',
    'plugin.activemq.pool.size=9999999',
    'LOGLEVEL=loud',
    'no key here',
    'A=1',
    'A=2',
  );
  assert.deepEqual(taken.raw.listeners, { http: [{ port: 80 }] });
  for (const key of [
    'CLOUD_DOMAIN',
    'NGINX_SSL_CERTIFICATE',
    'HTTP_PORT',
    'ACTIVEMQ_HOST',
    'LOGLEVEL',
    'line 4',
    'line 6',
  ])
    assert.equal(noteOf(taken, key)?.kind, 'look', key);
  assert.doesNotMatch(JSON.stringify(taken.notes), /no key here/);
});

test('a queue needs no durable subscription', () => {
  const { bus } = take('ACTIVEMQ_TOPIC=/queue/routinginfo').raw as { bus: Record<string, unknown> };
  assert.equal(bus.destination, '/queue/routinginfo');
  assert.equal('clientId' in bus, false);
});
