/** A client that asks over and over, to see whether anything that happens meanwhile can be noticed from outside. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientTls, connectRaw, type RawClient } from './client.ts';

export interface LoopingClient {
  /** Requests answered as wanted so far. */
  readonly answered: number;
  /** Everything that went wrong, as sentences. */
  readonly failures: readonly string[];
  /** Finishes the request under way and ends. */
  stop(): Promise<void>;
}

/** Between two requests: enough of them to hit every moment, few enough to leave the machine to the others. */
const PACE_MS = 3;

/**
 * Requests GET `/loop` of `host`, one after the other on one connection, which is opened anew after every `perConnection`
 * (a client may do so at any time) and wherever the server announced that it closes. Everything but a 200 is a failure.
 */
export function startLoopingClient(options: {
  readonly port: number;
  readonly host: string;
  readonly tls?: ClientTls;
  readonly perConnection?: number;
}): LoopingClient {
  const { port, host, tls, perConnection = 20 } = options;
  const failures: string[] = [];
  let answered = 0;
  let stopping = false;

  async function once(client: RawClient): Promise<boolean> {
    await client.send(`GET /loop HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const { status, statusLine, rawHeaders, body } = await client.readResponse();
    if (status === 200) answered += 1;
    else failures.push(`${statusLine}: ${body.toString().slice(0, 200)}`);
    const closes = rawHeaders.some((text, i) => i % 2 === 1 && isClose(rawHeaders[i - 1], text));
    return !closes;
  }

  async function loop(): Promise<void> {
    while (!stopping) {
      let client: RawClient | null = null;
      try {
        client = await connectRaw({ port, timeoutMs: 60_000, ...(tls === undefined ? {} : { tls }) });
        for (let n = 0; n < perConnection && !stopping; n++) {
          if (!(await once(client))) break;
          await sleep(PACE_MS);
        }
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
      } finally {
        client?.destroy();
      }
      await sleep(PACE_MS);
    }
  }

  const ended = loop();
  return {
    get answered() {
      return answered;
    },
    failures,
    async stop() {
      stopping = true;
      await ended;
    },
  };
}

function isClose(name: string | undefined, value: string): boolean {
  return name?.toLowerCase() === 'connection' && value.toLowerCase() === 'close';
}
