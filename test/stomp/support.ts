/** What the tests of this room share: a sink that collects, a message bus configuration. */
import { type BusConfig, configSchema, type IntakeConfig } from '../../src/config/schema.ts';
import type { Delivery } from '../../src/stomp/delivery.ts';
import type { LogLine } from '../support/memory-telemetry.ts';

/** True when a warning holds the text. */
export function warned(log: { readonly lines: readonly LogLine[] }, text: string): boolean {
  return log.lines.some((line) => line.level === 'warn' && JSON.stringify(line).includes(text));
}

export interface Collected {
  readonly all: Delivery[];
  readonly deliver: (delivery: Delivery) => void;
  bodies(): string[];
}

/** Collects deliveries; `ackAtOnce` confirms each as it comes. */
export function collect(ackAtOnce = false): Collected {
  const all: Delivery[] = [];
  return {
    all,
    deliver(delivery) {
      all.push(delivery);
      if (ackAtOnce) delivery.ack();
    },
    bodies: () => all.map((delivery) => delivery.body.toString()),
  };
}

const REQUIRED = { cloudDomain: 'apps.example.test', listeners: {} };

/** A bus configuration that reconnects fast; several ports are several hosts. */
export function busConfig(
  ports: number | readonly number[],
  overrides: Record<string, unknown> = {},
): BusConfig {
  const hosts = (typeof ports === 'number' ? [ports] : ports).map((port) => ({ host: '127.0.0.1', port }));
  const { bus } = configSchema.parse({
    ...REQUIRED,
    bus: {
      hosts,
      destination: '/queue/routinginfo',
      reconnectMinMs: 10,
      reconnectMaxMs: 100,
      ...overrides,
    },
  });
  if (bus === undefined) throw new Error('no bus');
  return bus;
}

/** An intake configuration on any free loopback port. */
export function intakeConfig(overrides: Record<string, unknown> = {}): IntakeConfig {
  const { intake } = configSchema.parse({ ...REQUIRED, intake: { port: 0, ...overrides } });
  if (intake === undefined) throw new Error('no intake');
  return intake;
}
