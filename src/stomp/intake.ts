/** The embedded intake: a STOMP 1.0-1.2 server that takes SENDs, where a platform has no message bus of its own. */
import net from 'node:net';
import type { IntakeConfig } from '../config/schema.ts';
import type { Log } from '../telemetry/types.ts';
import type { DeliverySink } from './delivery.ts';
import { IntakeConnection, type RefusedClient } from './intake-connection.ts';
import { Budget, INTAKE_LIMITS, type IntakeLimits } from './intake-limits.ts';
import { readPasscode } from './passcode.ts';

export interface IntakeStatus {
  readonly connections: number;
  /** SENDs delivered and not durable yet, of open and of closed connections. */
  readonly unconfirmed: number;
  /** SENDs delivered since start. */
  readonly delivered: number;
  /** Clients turned away, for whatever reason, since start. */
  readonly refused: number;
}

export interface Intake {
  address(): { readonly host: string; readonly port: number };
  status(): IntakeStatus;
  /** Takes no more, lets open connections see their RECEIPTs for a bounded time, and closes. */
  stop(): Promise<void>;
}

export interface IntakeOptions {
  readonly config: IntakeConfig;
  readonly maxBodyBytes: number;
  readonly deliver: DeliverySink;
  readonly log: Log;
  readonly limits?: Partial<IntakeLimits>;
}

const REFUSAL_WINDOW_MS = 10_000;
const REFUSALS_LOGGED = 20;

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** Logs refusals, but a flood of bad clients only in part: it must not fill the disk. */
function refusalLog(log: Log): (refusal: RefusedClient) => void {
  let windowStart = 0;
  let inWindow = 0;
  return (refusal) => {
    const now = Date.now();
    if (now - windowStart >= REFUSAL_WINDOW_MS) {
      windowStart = now;
      inWindow = 0;
    }
    inWindow += 1;
    if (inWindow <= REFUSALS_LOGGED) log.warn('the intake turned a client away', { ...refusal });
    if (inWindow === REFUSALS_LOGGED)
      log.warn('the intake turns many clients away; further ones are only counted for a while');
  };
}

/** Starts listening. Rejects when the address cannot be bound or the passcode file cannot be read. */
export async function startIntake(options: IntakeOptions): Promise<Intake> {
  const { config, log } = options;
  const limits: IntakeLimits = { ...INTAKE_LIMITS, ...options.limits };
  const wanted = { login: config.login, passcode: readPasscode(config) };
  const budget = new Budget(limits.maxUnconfirmedBytes);
  const connections = new Set<IntakeConnection>();
  let delivered = 0;
  let refused = 0;
  const logRefusal = refusalLog(log);
  if (wanted.login === undefined && wanted.passcode === undefined && !isLoopback(config.host))
    log.warn('THE INTAKE IS OPEN TO THE NETWORK WITHOUT A LOGIN: anyone who reaches it can change routes', {
      host: config.host,
    });

  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const connection = new IntakeConnection(socket, {
      wanted,
      limits,
      idleTimeoutMs: config.idleTimeoutMs,
      maxBodyBytes: options.maxBodyBytes,
      budget,
      log,
      deliver(delivery) {
        delivered += 1;
        options.deliver(delivery);
      },
      onRefused(refusal) {
        refused += 1;
        logRefusal(refusal);
      },
    });
    connections.add(connection);
    socket.on('close', () => connections.delete(connection));
    if (connections.size > config.maxConnections)
      connection.refuse('STOMP_TOO_MANY_CONNECTIONS', 'too many connections');
  });
  // Those being turned away linger for their ERROR; what comes above twice the bound is closed unheard.
  server.maxConnections = config.maxConnections * 2;

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: config.host, port: config.port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  // accept() failing (no file descriptors left) must not end the process.
  server.on('error', (error) => log.error('the intake cannot accept', { reason: error.message }));
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : config.port;
  log.info('the intake listens', { host: config.host, port });

  let stopping: Promise<void> | null = null;
  async function close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    for (const connection of connections) connection.finish();
    const timer = setTimeout(() => {
      for (const connection of connections) connection.destroy();
    }, limits.lingerMs);
    await closed;
    clearTimeout(timer);
  }
  return {
    address: () => ({ host: config.host, port }),
    status: () => ({ connections: connections.size, unconfirmed: budget.unconfirmed, delivered, refused }),
    stop() {
      stopping ??= close();
      return stopping;
    },
  };
}
