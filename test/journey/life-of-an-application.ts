/** The steps of the journey, in order: from an application's first event to its last. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { testCa, testCertificate } from '../support/certificates.ts';
import { headerOf } from '../support/client.ts';
import { type CurlAnswer, curl, servedFingerprint } from '../support/curl.ts';
import { eventually } from '../support/eventually.ts';
import type { Echo } from '../support/gear.ts';
import { startHaproxyGear } from '../support/haproxy-gear.ts';
import {
  CLOUD_DOMAIN,
  type HeadgearHome,
  type HeadgearProcess,
  PATIENCE_MS,
  startHeadgearCommand,
} from '../support/headgear-process.ts';
import { type LoopingClient, startLoopingClient } from '../support/looping-client.ts';
import {
  addAlias,
  addEndpoint,
  addSsl,
  deleteApplication,
  removeEndpoint,
  removeSsl,
} from '../support/spi-bodies.ts';
import { answered, type ScaledApplication } from './scaled-application.ts';

const ALIAS = 'www.acme.test';

export interface Scene {
  readonly home: HeadgearHome;
  headgear: HeadgearProcess;
  readonly shop: ScaledApplication;
  readonly bus: { readonly port: number; readonly destination: string };
  /** Sends the bodies through ActiveMQ, each confirmed. */
  publish(...bodies: readonly Buffer[]): Promise<void>;
  get(host: string, path?: string, args?: readonly string[]): Promise<CurlAnswer>;
}

export const lifeOfAnApplication: readonly (readonly [string, (scene: Scene) => Promise<void>])[] = [
  ['events make an application reachable by its own name and its ha- name', becomesReachable],
  ['files sent by `headgear publish` add an alias with a certificate of its own', aliasWithCertificate],
  ['a replaced certificate is served from the next handshake on', replacedCertificate],
  ['a websocket goes through HAProxy to the gear', websocket],
  ['the GEAR cookie keeps a client on its gear, through whichever haproxy', gearCookie],
  ['a gear moves to another node and no request fails', gearMove],
  ['events of the time when Headgear was away are applied when it is back', whileAway],
  ['a deleted application leaves nothing behind', leavesNothing],
];

async function becomesReachable({ publish, headgear, shop, get }: Scene): Promise<void> {
  await publish(...shop.creation);
  await headgear.untilApp(shop.key, (app) => app?.endpoints.length === 4);
  for (const host of [shop.host, shop.haHost]) {
    const answer = await get(host, '/a%20b/?q=%7C1');
    assert.equal(answer.status, 200);
    const echo = JSON.parse(answer.body) as Echo;
    assert.equal(echo.url, '/a%20b/?q=%7C1');
    assert.equal(headerOf(echo.rawHeaders, 'host'), `${host}:${headgear.httpsPort}`);
    assert.equal(headerOf(echo.rawHeaders, 'x-forwarded-proto'), 'https');
    assert.equal(headerOf(echo.rawHeaders, 'x-forwarded-for'), '127.0.0.1');
    assert.equal(headerOf(echo.rawHeaders, 'x-client-ip'), '127.0.0.1');
  }
  const plain = await curl({ scheme: 'http', host: shop.host, port: headgear.httpPort });
  assert.equal(headerOf((JSON.parse(plain.body) as Echo).rawHeaders, 'x-forwarded-proto'), 'http');
  assert.equal((await get(`other-acme.${CLOUD_DOMAIN}`)).status, 404);
  const used = () => headgear.accessLines().map((line) => answered(line).endpoint);
  await eventually(
    () => shop.proxies.every(({ address, port }) => used().includes(`${address}:${port}`)),
    'requests to both haproxies in the access log',
  );
}

async function aliasWithCertificate({ home, headgear, shop, get, bus }: Scene): Promise<void> {
  const certificate = { ...testCertificate([ALIAS]), certificatePem: testCertificate([ALIAS]).chainPem };
  const bodies = [addAlias(shop.app, ALIAS), addSsl(shop.app, ALIAS, certificate)];
  const files = bodies.map((body, i) => {
    const file = join(home.folder, `event-${i}.yaml`);
    writeFileSync(file, body);
    return file;
  });
  const to = ['--to', `127.0.0.1:${bus.port}`, '--destination', bus.destination];
  const command = await startHeadgearCommand(['publish', ...files, ...to]);
  assert.equal(await command.ended, 0, command.stderr());
  assert.match(command.stdout(), /event-0\.yaml: confirmed.*\n.*event-1\.yaml: confirmed/);

  await headgear.untilApp(shop.key, (app) => Boolean(app?.aliases[0]?.certificate));
  const answer = await get(ALIAS);
  assert.equal(answer.status, 200);
  assert.match(answer.verbose, new RegExp(`subject: CN=${ALIAS}`));
  assert.equal(await servedFingerprint(headgear.httpsPort, ALIAS), fingerprint([ALIAS], 1));
  assert.equal(
    await servedFingerprint(headgear.httpsPort, shop.host),
    fingerprint([`*.${CLOUD_DOMAIN}`], 1),
    'the platform certificate is still the one of the other names',
  );
}

/** As the broker replaces a certificate: remove_ssl, then add_ssl (domain.md 1.3). */
async function replacedCertificate({ publish, headgear, shop, get }: Scene): Promise<void> {
  const next = testCertificate([ALIAS], 2);
  await publish(
    removeSsl(shop.app, ALIAS),
    addSsl(shop.app, ALIAS, { ...next, certificatePem: next.chainPem }),
  );
  const wanted = fingerprint([ALIAS], 2);
  await eventually(
    async () => (await servedFingerprint(headgear.httpsPort, ALIAS)) === wanted,
    'the new certificate',
    PATIENCE_MS,
  );
  assert.equal((await get(ALIAS)).status, 200);
}

async function websocket({ headgear, shop }: Scene): Promise<void> {
  for (const host of [shop.host, ALIAS]) {
    const socket = new WebSocket(`wss://127.0.0.1:${headgear.httpsPort}/chat`, {
      headers: { Host: host },
      agent: new Agent({ servername: host, ca: testCa().certificatePem }),
    });
    const echoed = await new Promise<string>((resolve, reject) => {
      socket.on('open', () => socket.send(`hello ${host}`));
      socket.on('message', (data) => resolve(String(data)));
      socket.on('error', reject);
    });
    socket.terminate();
    assert.equal(echoed, `hello ${host}`);
  }
  const upgraded = shop.webGears.flatMap(({ requests }) => requests.filter(({ upgrade }) => upgrade));
  assert.deepEqual(upgraded.map(({ rawHeaders }) => headerOf(rawHeaders, 'host')).sort(), [shop.host, ALIAS]);
}

async function gearCookie({ headgear, shop, get }: Scene): Promise<void> {
  const first = await get(shop.host);
  const cookie = headerOf(first.rawHeaders, 'set-cookie') ?? '';
  assert.match(cookie, /^GEAR=shop[ab]-acme; path=\/$/);
  const before = headgear.accessLines().length;
  const { gear } = JSON.parse(first.body) as Echo;
  assert.equal(cookie, `GEAR=${gear}; path=/`);
  for (let n = 0; n < 6; n++) {
    const again = await get(shop.host, '/', ['--cookie', `GEAR=${gear}`]);
    assert.equal((JSON.parse(again.body) as Echo).gear, gear);
    assert.equal(headerOf(again.rawHeaders, 'set-cookie'), undefined);
  }
  const lines = await eventually(() => {
    const since = headgear.accessLines().slice(before).map(answered);
    return since.length >= 6 ? since : null;
  }, 'six lines of the access log');
  assert.equal(new Set(lines.map(({ endpoint }) => endpoint)).size, 2, 'both haproxies took part');
}

/** As OpenShift does it (domain.md 7.2): the gear stops on its node, only then come all adds, then all removes. */
async function gearMove({ publish, headgear, shop }: Scene): Promise<void> {
  const tls = { servername: shop.host, ca: testCa().certificatePem };
  const port = headgear.httpsPort;
  const clients: LoopingClient[] = [shop.host, shop.haHost].flatMap((host) => [
    startLoopingClient({ port, host, tls }),
    startLoopingClient({ port, host, tls, perConnection: 1 }),
    startLoopingClient({ port: headgear.httpPort, host, perConnection: 1_000 }),
  ]);
  const [, source] = shop.proxyEndpoints;
  const destination = { ...source, address: '127.0.0.3' };
  const moved = await startHaproxyGear({ ...destination, webGears: shop.webGears });
  const answeredBy = (address: string) =>
    headgear.accessLines().some((line) => answered(line).endpoint === `${address}:${source.port}`);
  try {
    await eventually(() => clients.every(({ answered: n }) => n > 5), 'traffic before the move', PATIENCE_MS);
    await shop.proxies[1].stopSoftly();
    await publish(addEndpoint(shop.app, destination), removeEndpoint(shop.app, source));
    const app = await headgear.untilApp(
      shop.key,
      (now) => now?.endpoints.every(({ address }) => address !== source.address) ?? false,
    );
    assert.ok(app?.endpoints.some(({ address }) => address === destination.address));
    const goal = clients.map(({ answered: n }) => n + 20);
    await eventually(
      () => answeredBy(destination.address) && clients.every(({ answered: n }, i) => n > (goal[i] ?? 0)),
      'traffic at the destination',
      PATIENCE_MS,
    );
    await Promise.all(clients.map((client) => client.stop()));
    assert.deepEqual(
      clients.flatMap(({ failures }) => failures),
      [],
    );
  } finally {
    await Promise.all(clients.map((client) => client.stop()));
    await moved.stop();
  }
}

async function whileAway(scene: Scene): Promise<void> {
  const { home, publish, shop, get } = scene;
  assert.equal(await scene.headgear.stop(), 0);
  await publish(addAlias(shop.app, 'second.acme.test'), addAlias(shop.app, 'third.acme.test'));
  scene.headgear = await home.start();
  const app = await scene.headgear.untilApp(shop.key, (now) => now?.aliases.length === 3);
  assert.deepEqual(
    app?.aliases.map(({ alias: name }) => name),
    [ALIAS, 'second.acme.test', 'third.acme.test'],
  );
  // The certificate of the alias came back from the store.
  assert.equal((await get(ALIAS)).status, 200);
}

async function leavesNothing(scene: Scene): Promise<void> {
  const { home, publish, shop, get } = scene;
  await publish(deleteApplication(shop.app));
  await scene.headgear.untilApp(shop.key, (app) => app === null);
  const platform = fingerprint([`*.${CLOUD_DOMAIN}`], 1);
  const traces = [shop.app.appName, shop.app.namespace, ...shop.proxyEndpoints.map(({ gearId }) => gearId)];
  const nothingLeft = async () => {
    const { headgear } = scene;
    assert.deepEqual(await headgear.apps(), []);
    for (const host of [shop.host, shop.haHost]) assert.equal((await get(host)).status, 404);
    assert.equal(await servedFingerprint(headgear.httpsPort, ALIAS), platform);
    assert.deepEqual(await headgear.keepAwake(), []);
    const { control, plane } = await headgear.status();
    assert.deepEqual(
      [control.applications, control.endpoints, control.names, control.certificates],
      [0, 0, 0, 0],
    );
    assert.deepEqual([plane.applications, plane.hosts, plane.pools, plane.certificates], [0, 0, 0, 0]);
    const metrics = await headgear.adminText('/metrics');
    for (const trace of traces) assert.ok(!metrics.includes(trace), `${trace} in the metrics`);
  };
  await nothingLeft();
  assert.equal(await scene.headgear.stop(), 0);
  scene.headgear = await home.start();
  await nothingLeft();
}

function fingerprint(names: readonly string[], edition: number): string {
  return new X509Certificate(testCertificate(names, edition).certificatePem).fingerprint256;
}
