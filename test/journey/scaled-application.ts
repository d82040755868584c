/** A scaled application as OpenShift runs it: web gears, a haproxy for each of its two proxy gears, each on a node of its own. */
import { type Gear, startGear } from '../support/gear.ts';
import { type HaproxyGear, startHaproxyGear } from '../support/haproxy-gear.ts';
import { CLOUD_DOMAIN } from '../support/headgear-process.ts';
import { type App, addEndpoint, createApplication, type EndpointAt, keyOf } from '../support/spi-bodies.ts';

/** The nodes' public addresses. */
export const NODES = ['127.0.0.1', '127.0.0.2'] as const;

export interface ScaledApplication {
  readonly app: App;
  readonly key: string;
  /** `app-ns.domain` and `ha-app-ns.domain`. */
  readonly host: string;
  readonly haHost: string;
  readonly webGears: readonly Gear[];
  readonly proxies: readonly [HaproxyGear, HaproxyGear];
  /** Head gear's first. */
  readonly proxyEndpoints: readonly [EndpointAt, EndpointAt];
  /** Its creation as the broker announces it: web endpoints before proxies (domain.md 1.3). */
  readonly creation: readonly Buffer[];
  stop(): Promise<void>;
}

/** `number` (0 to 255) keeps the gear ids of several applications apart. */
export async function startScaledApplication(appName: string, number: number): Promise<ScaledApplication> {
  const app: App = { appName, namespace: 'acme' };
  const prefix = `65a1f00dc0ffee${number.toString(16).padStart(2, '0')}0000000`;
  const started: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    await Promise.all(started.map((one) => one.stop()));
  };
  const webGears: Gear[] = [];
  const haproxies: HaproxyGear[] = [];
  try {
    for (const name of ['a', 'b']) {
      const gear = await startGear({ name: `${appName}${name}-acme` });
      started.push(gear);
      webGears.push(gear);
    }
    for (const address of NODES) {
      const haproxy = await startHaproxyGear({ address, webGears });
      started.push(haproxy);
      haproxies.push(haproxy);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  const [first, second] = haproxies;
  if (first === undefined || second === undefined) throw new Error('unreachable');
  const head: EndpointAt = { gearId: `${prefix}1`, ...at(first) };
  const further: EndpointAt = { gearId: `${prefix}2`, ...at(second) };
  const web = webGears.map(
    ({ port }, i): EndpointAt => ({
      gearId: `${prefix}${i + 1}`,
      address: NODES[0],
      port,
      type: 'web_framework',
    }),
  );
  const host = `${appName}-acme.${CLOUD_DOMAIN}`;
  return {
    app,
    key: keyOf(app),
    host,
    haHost: `ha-${host}`,
    webGears,
    proxies: [first, second],
    proxyEndpoints: [head, further],
    creation: [createApplication(app), ...[...web, head, further].map((one) => addEndpoint(app, one))],
    stop,
  };
}

function at({ address, port }: HaproxyGear): { readonly address: string; readonly port: number } {
  return { address, port };
}

/** What the access log says of requests: which endpoint answered which host with which status. */
export interface Answered {
  readonly host: string;
  readonly target: string;
  readonly status: number;
  readonly app: string;
  readonly endpoint: string;
  readonly failure: string;
}

/** The fields of an access log line (see src/telemetry/access-line.ts). */
export function answered(line: string): Answered {
  const fields = line.match(/"[^"]*"|\S+/g) ?? [];
  const [, , , host = '', target = '', , status = '', , , , , app = '', endpoint = '', , failure = ''] =
    fields;
  return { host, target: target.slice(1, -1), status: Number(status), app, endpoint, failure };
}
