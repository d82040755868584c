/** Headgear itself, the way an operator runs it: the real command with a configuration file, its one application published to the intake. */
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addEndpoints, createApplication } from '../../src/sample/sample-events.ts';
import { publishBodies } from '../../src/stomp/publish.ts';
import { freePort } from '../../test/support/ports.ts';
import { until, untilConnectable } from '../wait.ts';
import {
  HOST,
  KEPT_TO_ORIGIN,
  portPair,
  type Scenery,
  type Target,
  type TargetKind,
  type TargetName,
} from './target.ts';

const APP = { appName: 'shop', namespace: 'demo' };
const GEAR_ID = '65a1f00dc0ffee0000000001';

/** With the hop of our own. */
export const headgear: TargetKind = kindOf('headgear', 'native');
/** With http-proxy as its engine. */
export const headgearHttpProxy: TargetKind = kindOf('headgear-http-proxy', 'http-proxy');

function kindOf(name: TargetName, engine: 'native' | 'http-proxy'): TargetKind {
  return {
    name,
    find: () => ({ title: `Headgear, engine ${engine}, Node ${process.version}` }),
    start: (scenery) => start(name, engine, scenery),
  };
}

async function start(name: TargetName, engine: string, scenery: Scenery): Promise<Target> {
  const { dir, children, originPort, certFile, keyFile, nodeOptions } = scenery;
  const ports = await portPair();
  const admin = { host: '127.0.0.1', port: await freePort() };
  const intake = { host: '127.0.0.1', port: await freePort() };
  const accessLog = join(dir, `${name}-access.log`);
  const file = join(dir, `${name}.json`);
  writeFileSync(
    file,
    JSON.stringify({
      cloudDomain: HOST.slice(HOST.indexOf('.') + 1),
      listeners: {
        http: [{ host: '127.0.0.1', port: ports.httpPort }],
        https: [{ host: '127.0.0.1', port: ports.httpsPort }],
      },
      admin,
      intake,
      stateDir: join(dir, `${name}-state`),
      tls: { certificates: [{ certFile, keyFile }] },
      endpoints: { allowLoopbackEndpoints: true },
      http: { engine },
      upstream: { maxIdlePerEndpoint: KEPT_TO_ORIGIN },
      keepAwake: { enabled: false },
      log: { file: join(dir, `${name}.log`) },
      accessLog: { file: accessLog },
    }),
  );
  const child = children.start(name, {
    command: process.execPath,
    args: [
      ...nodeOptions,
      fileURLToPath(new URL('../../src/main.js', import.meta.url)),
      'run',
      '--config',
      file,
    ],
    on: 'proxy',
  });
  await untilConnectable(intake.port, child);
  const gears = [{ gearId: GEAR_ID, webPort: await freePort(), proxyPort: originPort }];
  await publishBodies({
    ...intake,
    destination: '/queue/routinginfo',
    bodies: [createApplication(APP), ...addEndpoints(APP, gears)],
    persistent: true,
  });
  await until('a route to the origin', child, async () => (await statusOf(ports.httpPort)) === 200);
  return { name, child, ...ports, accessLog };
}

/** 0 where nobody answers. */
function statusOf(port: number): Promise<number> {
  return new Promise((resolve) => {
    const asked = request(
      { host: '127.0.0.1', port, path: '/', headers: { host: HOST }, agent: false },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    asked.once('error', () => resolve(0));
    asked.end();
  });
}
