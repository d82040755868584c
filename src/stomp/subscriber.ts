/** The subscriber to the message bus: one subscription, held for ever over one of several hosts. */
import type { BusConfig } from '../config/schema.ts';
import type { Log } from '../telemetry/types.ts';
import { AckWindow } from './ack-window.ts';
import { backoffMs } from './backoff.ts';
import { openSession, type Session } from './bus-session.ts';
import type { Delivery, DeliverySink } from './delivery.ts';
import { serverName } from './dial.ts';
import type { Headers } from './frame-text.ts';
import type { Frame, FrameFault } from './frame-types.ts';
import { readPasscode } from './passcode.ts';

export interface SubscriberStatus {
  /** Subscribed, not merely connected. */
  readonly connected: boolean;
  /** `host:port` in use or being tried. */
  readonly server: string;
  /** Epoch milliseconds of the last change of `connected`. */
  readonly since: number;
  /** Times that a lost subscription was taken up again. */
  readonly reconnects: number;
  /** Why the last session or attempt ended; '' before the first. */
  readonly lastError: string;
  /** Deliveries of the present session that were not acked yet. */
  readonly unconfirmed: number;
}

export interface Subscriber {
  status(): SubscriberStatus;
  /** Disconnects cleanly. The durable subscription stays; what was not acked comes again. */
  stop(): Promise<void>;
}

export interface SubscriberOptions {
  readonly config: BusConfig;
  /** Larger bodies are delivered cut at one byte more, so that decoding refuses them as too large. */
  readonly maxBodyBytes: number;
  readonly deliver: DeliverySink;
  readonly log: Log;
  /** Runs when `connected` changes. */
  readonly onState?: (status: SubscriberStatus) => void;
}

/** Above these we stop reading: the server's prefetch bounds an honest server, this bounds any other. */
const MAX_UNCONFIRMED_BYTES = 64 * 1_048_576;
const MAX_UNCONFIRMED_PREFETCHES = 2;

/** Headers of our SUBSCRIBE. `client`: an ACK confirms all messages up to that one (ack-window.ts says why that is safe). */
function subscription(config: BusConfig): Record<string, string> {
  return {
    id: 'headgear',
    destination: config.destination,
    ack: 'client',
    'activemq.prefetchSize': String(config.prefetch),
    ...(config.destination.startsWith('/topic/') && config.subscriptionName !== undefined
      ? { 'activemq.subscriptionName': config.subscriptionName }
      : {}),
  };
}

/** Warns once, at start, of what an operator most likely did not mean. */
function warnOfTraps(config: BusConfig, log: Log): void {
  const { destination, clientId, subscriptionName } = config;
  if (destination.startsWith('/topic/') && (clientId === undefined || subscriptionName === undefined))
    log.warn(
      'EVENTS SENT WHILE HEADGEAR IS AWAY ARE LOST: the subscription to the topic is not durable. ' +
        'Set bus.clientId and bus.subscriptionName, or use a queue',
      { destination },
    );
  for (const host of config.hosts)
    if (host.tls?.verify === false)
      log.warn(
        'THE MESSAGE BUS IS NOT AUTHENTICATED: bus.hosts[].tls.verify is false, anyone on the way can inject events',
        { server: serverName(host) },
      );
}

/** A head beyond what is read of one is nothing that a broker sends: the message is not believed, however good its body is. */
function headFault({ headersDropped }: Frame): NonNullable<Delivery['refused']> | null {
  if (headersDropped === 0) return null;
  const lines = headersDropped === 1 ? 'a header line' : `${headersDropped} header lines`;
  return { code: 'STOMP_HEAD_REFUSED', reason: `${lines} too many, too long or malformed` };
}

/** Starts subscribing; returns at once, and never throws for what the message bus or the network does. */
export function startSubscriber(options: SubscriberOptions): Subscriber {
  const { config, log } = options;
  let session: Session | null = null;
  let retry: NodeJS.Timeout | undefined;
  let stopping: Promise<void> | null = null;
  let hostIndex = 0;
  /** Failed attempts since a session last proved itself. */
  let failures = 0;
  let sessions = 0;
  let window = new AckWindow<Headers>();
  /** Sends the ACK that is due. */
  let confirm: () => void = () => undefined;
  let connected = false;
  let since = Date.now();
  let lastError = '';
  warnOfTraps(config, log);

  const host = () => config.hosts[hostIndex % config.hosts.length] ?? config.hosts[0];
  const status = (): SubscriberStatus => ({
    connected,
    server: ((target) => (target === undefined ? '' : serverName(target)))(host()),
    since,
    reconnects: Math.max(0, sessions - 1),
    lastError,
    unconfirmed: window.open,
  });

  function setConnected(now: boolean): void {
    if (connected === now) return;
    connected = now;
    since = Date.now();
    if (now) sessions += 1;
    options.onState?.(status());
  }

  function attempt(): void {
    const target = host();
    if (stopping !== null || target === undefined) return;
    let passcode: string | undefined;
    try {
      passcode = readPasscode(config);
    } catch (error) {
      failed(`the passcode file cannot be read: ${error instanceof Error ? error.message : error}`);
      return;
    }
    const source = `bus:${serverName(target)}`;
    let heldBytes = 0;
    let held = false;
    let flushing = false;
    const row = new AckWindow<Headers>();
    window = row;
    confirm = flush;
    const mine = openSession(
      {
        target,
        login: config.login,
        passcode,
        vhost: config.vhost,
        clientId: config.clientId,
        heartbeatMs: config.heartbeatMs,
        connectTimeoutMs: config.connectTimeoutMs,
        maxBodyBytes: options.maxBodyBytes,
        subscribe: subscription(config),
      },
      {
        onOpen() {
          log.info('subscribed to the message bus', {
            server: serverName(target),
            destination: config.destination,
          });
          setConnected(true);
        },
        onMessage,
        onClosed(reason, again) {
          if (session === mine) session = null;
          window = new AckWindow();
          if (again) comeAgain(reason);
          else failed(reason);
        },
      },
    );
    session = mine;

    function flush(): void {
      flushing = false;
      const last = row.take();
      if (last !== null && session === mine) mine.ack(last);
    }

    function adjustHold(): void {
      const now =
        heldBytes > MAX_UNCONFIRMED_BYTES || row.open > config.prefetch * MAX_UNCONFIRMED_PREFETCHES;
      if (now === held) return;
      held = now;
      mine.hold(now);
    }

    function onMessage(frame: Frame, headers: Headers, fault: FrameFault | null): void {
      if (session !== mine) return;
      const { body } = frame;
      const refused = fault ?? headFault(frame);
      const acked = row.deliver(headers);
      heldBytes += body.length;
      adjustHold();
      const sent = Number(headers.get('timestamp') ?? '');
      options.deliver({
        body,
        bodyBytes: frame.bodyBytes,
        ...(refused === null ? {} : { refused }),
        source,
        messageId: headers.get('message-id') ?? null,
        receivedAt: Date.now(),
        sentAt: Number.isSafeInteger(sent) && sent > 0 ? sent : null,
        // Bound to this session: the same message comes again under another id once the session has gone.
        ack() {
          if (session !== mine || !acked()) return;
          heldBytes -= body.length;
          adjustHold();
          if (flushing) return;
          // The acks of one batch come in one turn.
          flushing = true;
          setImmediate(flush);
        },
      });
    }
  }

  /** To the same host at once: ten thousand broken messages must not cost a backoff each. */
  function comeAgain(reason: string): void {
    log.warn('the message bus is connected to anew, behind a message that could not be read', { reason });
    lastError = reason;
    setConnected(false);
    if (stopping === null) retry = setTimeout(attempt, 0);
  }

  /** Plans the next attempt: the next host at once while this round has untried ones, else after a backoff. */
  function failed(reason: string): void {
    // A server that takes us and drops us at once must not be hammered, so only a session of some age resets the backoff.
    const proved = connected && Date.now() - since >= config.reconnectMaxMs;
    failures = proved ? 0 : failures;
    const wasConnected = connected;
    const repeated = reason === lastError && !wasConnected;
    const server = status().server;
    lastError = reason;
    setConnected(false);
    if (stopping !== null) return;
    hostIndex += 1;
    failures += 1;
    const roundIsOver = wasConnected || failures % config.hosts.length === 0;
    const delay = roundIsOver
      ? backoffMs(
          Math.floor((failures - 1) / config.hosts.length),
          config.reconnectMinMs,
          config.reconnectMaxMs,
          Math.random,
        )
      : 0;
    const fields = { server, reason, retryInMs: delay };
    if (repeated) log.debug('the message bus is still out of reach', fields);
    else log.warn(wasConnected ? 'lost the message bus' : 'cannot reach the message bus', fields);
    retry = setTimeout(attempt, delay);
  }

  attempt();
  return {
    status,
    stop() {
      stopping ??= (async () => {
        clearTimeout(retry);
        confirm();
        await session?.leave();
        session = null;
        window = new AckWindow();
        setConnected(false);
      })();
      return stopping;
    },
  };
}
