/**
 * The sample that `npm start` brings along: one application of two gears with an alias, published as OpenShift's broker would publish
 * it. It stands outside of the load balancer and reaches it only as events and as servers on loopback ports.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from './development-certificates.ts';
import {
  addAlias,
  addEndpoints,
  addSsl,
  createApplication,
  removeEndpoints,
  type SampleGearPorts,
} from './sample-events.ts';
import { type SampleGear, startSampleGear } from './sample-gear.ts';
import { startSampleNodeFrontend } from './sample-node-frontend.ts';

/** Within the naming rules of domain.md 3. */
export const sampleApp = { appName: 'demo', namespace: 'sample' } as const;
export const sampleAlias = 'www.sample.test';
/** As the broker makes them: 24 hex digits, the head gear's the lowest. */
const gearIds = ['65a1f00dc0ffee0000000001', '65a1f00dc0ffee0000000002'] as const;

export interface SampleApplication {
  /** `demo-sample.<domain>`. */
  readonly host: string;
  readonly gears: readonly SampleGearPorts[];
  /** Goes into `keepAwake.port` before the probes start. */
  readonly nodeFrontendPort: number;
  /** What `announce` publishes, in order. */
  readonly bodies: readonly Buffer[];
  /** Hands the events over; call once the intake listens. Rejects when they could not be published. */
  announce(publish: (bodies: readonly Buffer[]) => Promise<unknown>): Promise<void>;
  stop(): Promise<void>;
}

interface Remembered {
  readonly gears: readonly SampleGearPorts[];
  readonly nodeFrontendPort: number;
}

/**
 * Starts the gears and the node frontend.
 *
 * Ports are remembered in the state folder, beside the state that names them, and taken again on the next start: the recovered table is
 * right before any event comes, and the events then change nothing. A port that another process has taken meanwhile is
 * withdrawn by a real `remove_public_endpoint`. (Deleting and creating the application anew on each start would be simpler, but cut
 * a running client off each time.) The ports are written down before anything is published, so no endpoint is ever published
 * that a later start does not know of.
 */
export async function startSampleApplication(options: {
  readonly domain: string;
  readonly stateDir: string;
  /** Of the alias. */
  readonly certificate: { readonly certificatePem: string; readonly privateKeyPem: string };
}): Promise<SampleApplication> {
  const file = join(options.stateDir, 'sample-ports.json');
  const former = readPorts(file);
  const host = `${sampleApp.appName}-${sampleApp.namespace}.${options.domain}`;
  const started: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    await Promise.all(started.map((part) => part.stop()));
  };
  try {
    const gears: SampleGear[] = [];
    for (const [i, gearId] of gearIds.entries()) {
      const wanted = former?.gears.find((gear) => gear.gearId === gearId) ?? null;
      const name = `gear ${gearId} (${i === 0 ? 'the head gear' : 'the second gear'} of ${host})`;
      const gear = await startSampleGear({ gearId, name, wanted });
      gears.push(gear);
      started.push(gear);
    }
    const frontend = await startSampleNodeFrontend({
      hosts: [host, sampleAlias, ...gearIds.map((id) => `${id}-${sampleApp.namespace}.${options.domain}`)],
      wantedPort: former?.nodeFrontendPort ?? 0,
    });
    started.push(frontend);
    const ports = gears.map((gear) => gear.ports);
    const stale = staleEndpoints(former?.gears ?? [], ports);
    const bodies = [
      createApplication(sampleApp),
      ...removeEndpoints(sampleApp, stale),
      ...addEndpoints(sampleApp, ports),
      addAlias(sampleApp, sampleAlias),
      addSsl(sampleApp, sampleAlias, options.certificate),
    ];
    mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
    const remember = (gearsToKnow: readonly SampleGearPorts[]) =>
      writeWhole(
        file,
        `${JSON.stringify({ gears: gearsToKnow, nodeFrontendPort: frontend.port } satisfies Remembered)}\n`,
        0o600,
      );
    // Those to be removed stay written down until their removal is confirmed.
    remember([...ports, ...stale]);
    return {
      host,
      gears: ports,
      nodeFrontendPort: frontend.port,
      bodies,
      async announce(publish) {
        await publish(bodies);
        remember(ports);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Former pairs of ports that are not all served by the same gear now; the ones that still are come back with the adds that follow. */
function staleEndpoints(
  former: readonly SampleGearPorts[],
  now: readonly SampleGearPorts[],
): SampleGearPorts[] {
  return former.filter(
    (old) =>
      !now.some(
        (gear) =>
          gear.gearId === old.gearId && gear.webPort === old.webPort && gear.proxyPort === old.proxyPort,
      ),
  );
}

/** null when there are none, or the file is not ours: the sample then takes what ports it gets. */
function readPorts(file: string): Remembered | null {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isRemembered(value) ? value : null;
  } catch {
    return null;
  }
}

function isRemembered(value: unknown): value is Remembered {
  const isPort = (port: unknown) => Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536;
  const { gears, nodeFrontendPort } = (value ?? {}) as Partial<Record<keyof Remembered, unknown>>;
  return (
    isPort(nodeFrontendPort) &&
    Array.isArray(gears) &&
    gears.every(
      (gear: Partial<Record<keyof SampleGearPorts, unknown>> | null) =>
        /^[0-9a-f]{24}$/.test(String(gear?.gearId)) && isPort(gear?.webPort) && isPort(gear?.proxyPort),
    )
  );
}
