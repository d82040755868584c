/** A long stream of routing events for crash tests, and what it comes to when nothing disturbs it. */
import { publishBodies } from '../../src/stomp/publish.ts';
import type { AppView } from '../../src/table/describe.ts';
import { testCertificate } from '../support/certificates.ts';
import { type HeadgearProcess, headgearHome, PATIENCE_MS } from '../support/headgear-process.ts';
import {
  type App,
  addAlias,
  addEndpoint,
  addSsl,
  createApplication,
  deleteApplication,
  type EndpointAt,
  keyOf,
  removeAlias,
  removeEndpoint,
} from '../support/spi-bodies.ts';

export interface EventStream {
  readonly bodies: readonly Buffer[];
  /** For each application how many bodies of the stream say everything about it. */
  readonly completeAfter: ReadonlyMap<string, number>;
}

/** The lives of so many applications, one after the other: endpoints, aliases, some certificates, gear moves and deletions. */
export function eventStream(applications: number): EventStream {
  const bodies: Buffer[] = [];
  const completeAfter = new Map<string, number>();
  for (let n = 0; n < applications; n++) {
    const app: App = { appName: `app${n}`, namespace: `ns${n % 7}` };
    bodies.push(...lifeOf(app, n));
    completeAfter.set(keyOf(app), bodies.length);
  }
  return { bodies, completeAfter };
}

function lifeOf(app: App, n: number): Buffer[] {
  const gearId = `65a1f00dc0ffee00${n.toString(16).padStart(8, '0')}`;
  const web: EndpointAt = {
    gearId,
    address: `10.1.${n >> 8}.${n & 255}`,
    port: 35_531,
    type: 'web_framework',
  };
  const proxy: EndpointAt = { ...web, port: 35_532, type: 'load_balancer' };
  const alias = `www.app${n}.test`;
  const life = [createApplication(app), addEndpoint(app, web), addEndpoint(app, proxy), addAlias(app, alias)];
  if (n % 5 === 1) {
    const moved = { ...proxy, address: `10.2.${n >> 8}.${n & 255}` };
    life.push(addEndpoint(app, moved), removeEndpoint(app, proxy));
  }
  if (n % 20 === 2) {
    // One key for all: making one takes long.
    const shared = testCertificate(['*.test', ...sharedNames]);
    life.push(addSsl(app, alias, { ...shared, certificatePem: shared.chainPem }));
  }
  if (n % 7 === 3) life.push(removeAlias(app, alias));
  if (n % 10 === 4) life.push(deleteApplication(app));
  return life;
}

const sharedNames = Array.from({ length: 40 }, (_, i) => `www.app${20 * i + 2}.test`);

/** The table of a Headgear that got the bodies through its intake and was left in peace. */
export async function undisturbedTable(bodies: readonly Buffer[]): Promise<readonly object[]> {
  const home = headgearHome({ intake: { port: 0 }, keepAwake: { enabled: false } });
  try {
    const headgear = await home.start();
    await publishBodies({
      host: '127.0.0.1',
      port: headgear.intakePort,
      destination: '/queue/routinginfo',
      bodies,
      persistent: true,
      timeoutMs: PATIENCE_MS,
    });
    return await tableOf(headgear);
  } finally {
    await home.remove();
  }
}

/** Everything the table says, but for the numbers of claims: events that come twice use them up. */
export async function tableOf(headgear: HeadgearProcess): Promise<readonly AppView[]> {
  const apps = await headgear.apps();
  return apps.map((app) => ({ ...app, aliases: app.aliases.map((record) => ({ ...record, claim: 0 })) }));
}

/** How many SENDs were confirmed before `publishBodies` failed; throws when it failed otherwise. */
export function confirmedBefore(error: unknown): number {
  const count = /\((\d+) confirmed\)/.exec(error instanceof Error ? error.message : '')?.[1];
  if (count === undefined) throw error;
  return Number(count);
}
