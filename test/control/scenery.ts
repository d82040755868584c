/** A control loop on fakes. */
import { configSchema } from '../../src/config/schema.ts';
import { type Control, type ControlOptions, createControl } from '../../src/control/create-control.ts';
import { tablePolicyOf } from '../../src/control/table-policy.ts';
import type { EventReport } from '../../src/control/types.ts';
import type { KeepAwakeTarget } from '../../src/table/keep-awake-target.ts';
import type { TablePolicy } from '../../src/table/policy.ts';
import { eventually } from '../support/eventually.ts';
import { memoryLog, memoryMetrics } from '../support/memory-telemetry.ts';
import { delivery, memoryStore, recorder, type TestDelivery } from './fakes.ts';

export const config = configSchema.parse({ cloudDomain: 'apps.test', listeners: {} });

/** The configured policy with another grace time, milliseconds. */
export function policyWithGrace(certificateGraceMs: number): TablePolicy {
  const policy = tablePolicyOf(config, new Set());
  return { ...policy, windows: { ...policy.windows, certificateGraceMs } };
}

export interface Scene {
  readonly control: Control;
  readonly store: ReturnType<typeof memoryStore>;
  readonly plane: ReturnType<typeof recorder>;
  readonly log: ReturnType<typeof memoryLog>;
  readonly metrics: ReturnType<typeof memoryMetrics>;
  readonly awake: Map<string, readonly KeepAwakeTarget[]>;
  readonly reports: EventReport[];
  /** Delivers the bodies and waits until each is acked. */
  send(...bodies: Buffer[]): Promise<readonly TestDelivery[]>;
  /** Waits until the data plane has everything. */
  published(): Promise<void>;
}

export function scene(over: Partial<ControlOptions> = {}, store = memoryStore()): Scene {
  const plane = recorder();
  const log = memoryLog();
  const metrics = memoryMetrics();
  const awake = new Map<string, readonly KeepAwakeTarget[]>();
  const reports: EventReport[] = [];
  const control = createControl({
    config,
    policy: tablePolicyOf(config, new Set()),
    store,
    publish: (changes) => plane.publish(changes),
    keepAwake: {
      reconcile(app, targets) {
        if (targets.length === 0) awake.delete(app);
        else awake.set(app, targets);
      },
    },
    log,
    metrics,
    now: () => 2_000,
    ...over,
  });
  control.subscribe((report) => reports.push(report));
  return {
    control,
    store,
    plane,
    log,
    metrics,
    awake,
    reports,
    async send(...bodies) {
      const deliveries = bodies.map((one) => delivery(one));
      for (const one of deliveries) control.deliver(one);
      await eventually(() => deliveries.every(({ acks }) => acks() > 0), 'every delivery acked', 60_000);
      return deliveries;
    },
    async published() {
      await eventually(
        () => control.status().confirmedGeneration === control.status().generation,
        'the generation confirmed',
      );
    },
  };
}
