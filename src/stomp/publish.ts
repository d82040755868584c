/** Sends event bodies to a STOMP server, each confirmed: for `headgear publish` and the sample. */
import { openSession, type Session } from './bus-session.ts';
import type { BusHost } from './dial.ts';

export interface PublishOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: BusHost['tls'];
  readonly login?: string | undefined;
  readonly passcode?: string | undefined;
  readonly vhost?: string | undefined;
  /** E.g. `/queue/routinginfo`. */
  readonly destination: string;
  readonly bodies: AsyncIterable<Buffer> | Iterable<Buffer>;
  /** Written to disk by the message bus before it confirms; the only way that Headgear sends. */
  readonly persistent: true;
  /** Longest silence of the server, connecting included. Default 30,000. */
  readonly timeoutMs?: number;
}

/** SENDs on their way at once: enough to hide the round trip, few enough that memory stays small. */
const WINDOW = 64;

/**
 * Sends the bodies in order and resolves once the server has confirmed each by RECEIPT. Rejects on the first failure with how
 * many were confirmed in the message; what was confirmed stays sent.
 */
export async function publishBodies(options: PublishOptions): Promise<{ sent: number }> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  let confirmed = 0;
  let inFlight = 0;
  let failure: Error | null = null;
  let wake: () => void = () => undefined;
  let timer: NodeJS.Timeout | undefined;

  function fail(reason: string): void {
    failure ??= new Error(`STOMP_PUBLISH_FAILED: ${reason} (${confirmed} confirmed)`);
    wake();
  }
  /** Waits until `done()`, as long as the server goes on confirming. */
  async function until(done: () => boolean): Promise<void> {
    while (failure === null && !done()) {
      const turn = new Promise<void>((resolve) => {
        wake = resolve;
      });
      clearTimeout(timer);
      timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
      await turn;
    }
    clearTimeout(timer);
    if (failure !== null) throw failure;
  }

  let open = false;
  const session: Session = openSession(
    {
      target: { host: options.host, port: options.port, tls: options.tls },
      login: options.login,
      passcode: options.passcode,
      vhost: options.vhost,
      heartbeatMs: 10_000,
      connectTimeoutMs: timeoutMs,
      maxBodyBytes: 65_536,
    },
    {
      onOpen() {
        open = true;
        wake();
      },
      onMessage() {},
      onClosed: fail,
    },
  );
  try {
    await until(() => open);
    for await (const body of options.bodies) {
      await until(() => inFlight < WINDOW);
      inFlight += 1;
      session.send({ destination: options.destination, persistent: 'true' }, body, () => {
        confirmed += 1;
        inFlight -= 1;
        wake();
      });
    }
    await until(() => inFlight === 0);
    await session.leave();
    return { sent: confirmed };
  } finally {
    clearTimeout(timer);
    session.destroy('done');
  }
}
