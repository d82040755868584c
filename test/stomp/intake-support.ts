/** An intake for one test, and what clients say to it. */
import type { TestContext } from 'node:test';
import { startIntake } from '../../src/stomp/intake.ts';
import type { IntakeLimits } from '../../src/stomp/intake-limits.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { type RawStomp, rawStomp } from '../support/stomp-client.ts';
import { collect, intakeConfig } from './support.ts';

export const MAX_BODY = 10_000;
export const CONNECT = 'CONNECT\naccept-version:1.2\nhost:x\n\n\0';

export function send(body: string, ...lines: string[]): string {
  return ['SEND', 'destination:/queue/routinginfo', ...lines, '', `${body}\0`].join('\n');
}

interface Wish {
  readonly config?: Record<string, unknown>;
  readonly limits?: Partial<IntakeLimits>;
  readonly ackAtOnce?: boolean;
}

/** Starts an intake that goes with the test. */
export async function startTestIntake(t: TestContext, wish: Wish = {}) {
  const log = memoryLog();
  const got = collect(wish.ackAtOnce);
  const intake = await startIntake({
    config: intakeConfig(wish.config),
    maxBodyBytes: MAX_BODY,
    deliver: got.deliver,
    log,
    limits: { lingerMs: 1_000, ...wish.limits },
  });
  const { port } = intake.address();
  const clients: RawStomp[] = [];
  t.after(async () => {
    for (const client of clients) client.socket.destroy();
    await intake.stop();
  });
  return {
    intake,
    port,
    got,
    log,
    async client(hello = CONNECT): Promise<RawStomp> {
      const client = await rawStomp(port, hello);
      clients.push(client);
      return client;
    },
  };
}
