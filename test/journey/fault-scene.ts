/** What stands around Headgear when something breaks: a bus, a gear, a client that asks over and over. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { publishBodies } from '../../src/stomp/publish.ts';
import type { ActiveMq } from '../support/activemq.ts';
import { eventually } from '../support/eventually.ts';
import type { Gear } from '../support/gear.ts';
import {
  CLOUD_DOMAIN,
  type HeadgearHome,
  type HeadgearProcess,
  headgearHome,
  PATIENCE_MS,
  type StartOptions,
} from '../support/headgear-process.ts';
import { type LoopingClient, startLoopingClient } from '../support/looping-client.ts';
import { addAlias, addEndpoint, createApplication, keyOf } from '../support/spi-bodies.ts';

const living = { appName: 'living', namespace: 'here' };

export interface Scene {
  readonly home: HeadgearHome;
  readonly headgear: HeadgearProcess;
  readonly client: LoopingClient;
  readonly send: (bodies: readonly Buffer[], to?: ActiveMq) => Promise<unknown>;
  /** Sends one more alias and waits until it is there; with a bus of its own. */
  proveEvents(alias: string, to?: ActiveMq): Promise<void>;
  /** Some more answers, and not one failure so far. */
  proveTraffic(): Promise<void>;
}

export interface SceneOptions extends StartOptions {
  /** Brokers that Headgear is told of; default: the bus. */
  readonly hosts?: readonly ActiveMq[];
  /** Further keys of the configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Before the start; `state` is the state folder, which is there already. */
  readonly prepare?: (state: string) => void;
}

/** A Headgear on a queue of its own, with an application that a client asks over and over. */
export async function faultScene(
  t: TestContext,
  name: string,
  { bus, gear }: { readonly bus: ActiveMq; readonly gear: Gear },
  { hosts = [bus], config = {}, prepare, ...start }: SceneOptions = {},
): Promise<Scene> {
  const destination = `/queue/fault-${name}`;
  const home = headgearHome({
    keepAwake: { enabled: false },
    accessLog: { file: 'off' },
    ...config,
    bus: {
      hosts: hosts.map(({ port }) => ({ host: '127.0.0.1', port })),
      destination,
      heartbeatMs: 1_000,
      connectTimeoutMs: 2_000,
      reconnectMaxMs: 500,
    },
  });
  t.after(() => home.remove());
  const state = join(home.folder, 'state');
  if (prepare !== undefined) {
    mkdirSync(state, { mode: 0o700 });
    prepare(state);
  }
  const headgear = await home.start(start);
  const send: Scene['send'] = (bodies, to = hosts[0] ?? bus) =>
    publishBodies({
      ...{ host: '127.0.0.1', port: to.port, destination, bodies },
      persistent: true,
      timeoutMs: PATIENCE_MS,
    });
  const endpoint = { gearId: '65a1f00dc0ffeeff00000001', address: '127.0.0.1', port: gear.port };
  await send([createApplication(living), addEndpoint(living, endpoint)]);
  // One endpoint has one owner: the scene before this one was another process.
  await headgear.untilApp(keyOf(living), (app) => app?.endpoints.length === 1);
  const client = startLoopingClient({ port: headgear.httpPort, host: `living-here.${CLOUD_DOMAIN}` });
  t.after(() => client.stop());
  return {
    home,
    headgear,
    client,
    send,
    async proveEvents(alias, to) {
      await send([addAlias(living, alias)], to);
      const has = (app: { aliases: readonly { alias: string }[] } | null) =>
        app?.aliases.some((record) => record.alias === alias) === true;
      await headgear.untilApp(keyOf(living), has);
    },
    async proveTraffic() {
      const goal = client.answered + 10;
      await eventually(() => client.answered >= goal, 'more answers', PATIENCE_MS);
      assert.deepEqual(client.failures, []);
    },
  };
}

/** Non-persistent and without a receipt, as OpenShift's plugin sends. */
export function sendFrame(destination: string, body: Buffer): Buffer {
  const head = `SEND\ndestination:${destination}\ncontent-length:${body.length}\n\n`;
  return Buffer.concat([Buffer.from(head), body, Buffer.from('\0')]);
}
