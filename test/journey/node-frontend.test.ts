/** Real Apaches as node frontends: the probes that keep gears awake, and the way of requests by an alias. */
import assert from 'node:assert/strict';
import { Agent } from 'node:https';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { publishBodies } from '../../src/stomp/publish.ts';
import { type ApacheFrontend, type FrontendHost, startApacheFrontend } from '../support/apache-frontend.ts';
import { testCa, testCertificate } from '../support/certificates.ts';
import { headerOf } from '../support/client.ts';
import { curl } from '../support/curl.ts';
import { eventually } from '../support/eventually.ts';
import type { Echo } from '../support/gear.ts';
import {
  CLOUD_DOMAIN,
  type HeadgearHome,
  type HeadgearProcess,
  headgearHome,
  PATIENCE_MS,
} from '../support/headgear-process.ts';
import { skipWithout } from '../support/parts.ts';
import { freePort } from '../support/ports.ts';
import { addAlias, addSsl } from '../support/spi-bodies.ts';
import { NODES, type ScaledApplication, startScaledApplication } from './scaled-application.ts';

/** Without and with a certificate. */
const PLAIN_ALIAS = 'www.shop.test';
const SECURE_ALIAS = 'secure.shop.test';
const NEWS_ALIAS = 'www.news.test';

describe('node frontends', { skip: skipWithout('apache2', 'haproxy', 'curl') }, () => {
  const cleanUp: (() => Promise<unknown>)[] = [];
  let headgear: HeadgearProcess;
  let home: HeadgearHome;
  let shop: ScaledApplication;
  /** Its second gear is known to its node by a predictable name, which no event tells (domain.md 3). */
  let news: ScaledApplication;
  /** By node. */
  const frontends: ApacheFrontend[] = [];

  before(async () => {
    shop = await startScaledApplication('shop', 1);
    cleanUp.push(shop.stop);
    news = await startScaledApplication('news', 2);
    cleanUp.push(news.stop);
    const ports = { httpPort: await freePort(), httpsPort: await freePort() };
    for (const [node, address] of NODES.entries()) {
      const frontend = await startApacheFrontend({
        address,
        ...ports,
        hosts: hostsOf(node),
        certificate: ownCertificate(),
      });
      cleanUp.push(frontend.stop);
      frontends.push(frontend);
    }
    home = headgearHome({
      intake: { port: 0 },
      keepAwake: { port: ports.httpPort },
      nodeFrontend: { aliases: true, ...ports, applications: { 'acme/news': false } },
    });
    cleanUp.push(() => home.remove());
    headgear = await home.start();
    const certificate = testCertificate([SECURE_ALIAS]);
    await publish(
      ...shop.creation,
      ...news.creation,
      addAlias(shop.app, PLAIN_ALIAS),
      addAlias(shop.app, SECURE_ALIAS),
      addSsl(shop.app, SECURE_ALIAS, { ...certificate, certificatePem: certificate.chainPem }),
      addAlias(news.app, NEWS_ALIAS),
    );
    await headgear.untilApp(news.key, (app) => app?.aliases.length === 1);
  });
  after(async () => {
    for (const end of cleanUp.reverse()) await end();
  });

  /** What a node has of both applications: on the head gear's the application's name, on the other the second gear's. */
  function hostsOf(node: number): readonly FrontendHost[] {
    const secure = testCertificate([SECURE_ALIAS]);
    const known = (app: ScaledApplication, gearName: string, aliases: readonly string[]): FrontendHost => ({
      name: node === 0 ? app.host : gearName,
      aliases: node === 0 ? aliases : [app.host, ...aliases],
      target: app.proxies[node] ?? app.proxies[0],
    });
    const shopGear = `${shop.proxyEndpoints[1].gearId}-acme.${CLOUD_DOMAIN}`;
    return [
      {
        ...known(shop, shopGear, [PLAIN_ALIAS, SECURE_ALIAS, shop.haHost]),
        certificates: [{ alias: SECURE_ALIAS, chainPem: secure.chainPem, keyPem: secure.privateKeyPem }],
      },
      known(news, `acme-news-2.${CLOUD_DOMAIN}`, [NEWS_ALIAS]),
    ];
  }

  async function publish(...bodies: readonly Buffer[]): Promise<void> {
    const to = { host: '127.0.0.1', port: headgear.intakePort, destination: '/queue/routinginfo' };
    await publishBodies({ ...to, bodies, persistent: true, timeoutMs: PATIENCE_MS });
  }

  const visits = (node: number) => frontends[node]?.visits() ?? [];
  const probes = (node: number) => visits(node).filter(({ request }) => request === 'GET /health HTTP/1.1');
  const visitsOf = (path: string) =>
    frontends.flatMap((frontend) => frontend.visits()).filter(({ request }) => request.includes(` ${path} `));
  /** Those there are once there is one: Apache writes its line after the answer. */
  const loggedVisitsOf = (path: string) =>
    eventually(() => (visitsOf(path).length > 0 ? visitsOf(path) : null), `a visit of ${path}`, PATIENCE_MS);

  /** The request as the gear saw it. */
  async function get(scheme: 'http' | 'https', host: string, path: string): Promise<Echo> {
    const port = scheme === 'https' ? headgear.httpsPort : headgear.httpPort;
    const answer = await curl({ scheme, host, port, path, caFile: home.caFile });
    assert.equal(answer.status, 200, answer.body);
    const echo = JSON.parse(answer.body) as Echo;
    assert.equal(headerOf(echo.rawHeaders, 'host'), `${host}:${port}`, 'Host as the client sent it');
    return echo;
  }

  it('log a visit of each proxy gear under its own name, at once', async () => {
    const gearName = `${shop.proxyEndpoints[1].gearId}-acme.${CLOUD_DOMAIN}`;
    const wanted: readonly (readonly [number, string])[] = [
      [0, shop.host],
      [1, gearName],
      [0, news.host],
    ];
    for (const [node, name] of wanted)
      await eventually(
        () =>
          probes(node).some(({ vhost, host, status }) => vhost === name && host === name && status === 200),
        `a visit of ${name} on node ${node}`,
        PATIENCE_MS,
      );
    const results = await eventually(
      async () => {
        const all = await headgear.keepAwake();
        return all.length === 4 ? all : null;
      },
      'an answer for each proxy gear',
      PATIENCE_MS,
    );
    assert.deepEqual(new Set(results.map(({ answer }) => answer)), new Set(['awake']));
    assert.ok(!visits(0).some(({ client }) => client !== '127.0.0.1'));
  });

  it('that do not know the gear by its id are asked by the name of the application', async () => {
    const unknown = `${news.proxyEndpoints[1].gearId}-acme.${CLOUD_DOMAIN}`;
    const asked = await eventually(
      () => {
        const found = probes(1).filter(({ host }) => host === unknown || host === news.host);
        return found.length >= 2 ? found : null;
      },
      'both probes',
      PATIENCE_MS,
    );
    // Apache's threads write a line when they are done with a request, which is not always in the order of the requests.
    assert.deepEqual(
      new Set(asked.map(({ vhost, host, status }) => ({ vhost, host, status }))),
      new Set([
        { vhost: 'unknown.invalid', host: unknown, status: 302 },
        { vhost: `acme-news-2.${CLOUD_DOMAIN}`, host: news.host, status: 200 },
      ]),
    );
  });

  it('get the requests by an alias, http over http and https over https, with Host and SNI as the client sent them', async () => {
    for (const scheme of ['http', 'https'] as const) {
      const echo = await get(scheme, SECURE_ALIAS, `/by-alias-${scheme}`);
      // Of the node's own listener: applications redirect for ever where this says http to an https client (domain.md 0).
      assert.equal(headerOf(echo.rawHeaders, 'x-forwarded-proto'), scheme);
      const [visit, ...more] = await loggedVisitsOf(`/by-alias-${scheme}`);
      assert.deepEqual(more, []);
      assert.equal(visit?.scheme, scheme);
      assert.equal(visit?.host.replace(/:\d+$/, ''), SECURE_ALIAS);
      if (scheme === 'https') assert.equal(visit?.servername, SECURE_ALIAS);
    }
    await get('http', PLAIN_ALIAS, '/by-plain-alias');
    assert.equal((await loggedVisitsOf('/by-plain-alias')).length, 1);
  });

  it('do not get requests by the plain name or the ha- name', async () => {
    for (const host of [shop.host, shop.haHost])
      for (const scheme of ['http', 'https'] as const) {
        const echo = await get(scheme, host, '/straight');
        const port = scheme === 'https' ? headgear.httpsPort : headgear.httpPort;
        assert.equal(headerOf(echo.rawHeaders, 'x-forwarded-port'), String(port), 'set by Headgear');
      }
    assert.deepEqual(visitsOf('/straight'), []);
  });

  it('get the requests by a ha- name that the application also holds as an alias', async () => {
    await publish(addAlias(shop.app, shop.haHost));
    await headgear.untilApp(shop.key, (app) => app?.aliases.length === 3);
    await get('http', shop.haHost, '/by-ha-alias');
    assert.equal((await loggedVisitsOf('/by-ha-alias')).length, 1);
  });

  it('do not get upgrades: a websocket by an alias goes to the gear', async () => {
    const socket = new WebSocket(`wss://127.0.0.1:${headgear.httpsPort}/upgrade`, {
      headers: { Host: SECURE_ALIAS },
      agent: new Agent({ servername: SECURE_ALIAS, ca: testCa().certificatePem }),
    });
    const echoed = await new Promise<string>((resolve, reject) => {
      socket.on('open', () => socket.send('hello'));
      socket.on('message', (data) => resolve(String(data)));
      socket.on('error', reject);
    });
    socket.terminate();
    assert.equal(echoed, 'hello');
    assert.deepEqual(visitsOf('/upgrade'), []);
    const upgrades = shop.webGears.flatMap(({ requests }) => requests.filter(({ upgrade }) => upgrade));
    assert.deepEqual(
      upgrades.map(({ rawHeaders }) => headerOf(rawHeaders, 'host')),
      [SECURE_ALIAS],
    );
  });

  it('are left alone by an application for which the configuration says so', async () => {
    await get('http', NEWS_ALIAS, '/straight-by-alias');
    assert.deepEqual(visitsOf('/straight-by-alias'), []);
  });
});

function ownCertificate(): { readonly chainPem: string; readonly keyPem: string } {
  const { chainPem, privateKeyPem } = testCertificate([`*.${CLOUD_DOMAIN}`]);
  return { chainPem, keyPem: privateKeyPem };
}
