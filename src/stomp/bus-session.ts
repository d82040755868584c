/**
 * One connection to a STOMP server; owner of stompit. stompit negotiates the version, keeps the heart-beats and writes frames;
 * what comes in is read by our own parser (screened-socket.ts says why), which hands stompit its CONNECTED and RECEIPTs.
 */
import { createRequire } from 'node:module';
import { type BusHost, dial } from './dial.ts';
import { FrameParser } from './frame.ts';
import { encodeFrame, type Headers, headersOf, type StompVersion, VERSIONS } from './frame-text.ts';
import type { Frame, FrameFault } from './frame-types.ts';
import { ScreenedSocket } from './screened-socket.ts';

export interface SessionOptions {
  readonly target: BusHost;
  readonly login?: string | undefined;
  readonly passcode?: string | undefined;
  readonly vhost?: string | undefined;
  readonly clientId?: string | undefined;
  readonly heartbeatMs: number;
  /** Bound of everything until `onOpen`: TCP, TLS, CONNECTED and the subscription's RECEIPT. */
  readonly connectTimeoutMs: number;
  /** Bodies come cut at one byte more. */
  readonly maxBodyBytes: number;
  /** Headers of a SUBSCRIBE to send first. */
  readonly subscribe?: Readonly<Record<string, string>> | undefined;
}

export interface SessionHandlers {
  onOpen(): void;
  /** `fault`: the frame is broken and nothing after it can be read; the session ends once it is acked. */
  onMessage(frame: Frame, headers: Headers, fault: FrameFault | null): void;
  /**
   * Once, whatever the reason; never from within `openSession`. After `leave()` too. `again`: the session ended only because what came
   * after a broken message could not be read.
   */
  onClosed(reason: string, again: boolean): void;
}

export interface Session {
  /** Confirms a MESSAGE by its headers. Does nothing once the session is leaving or closed. */
  ack(message: Headers): void;
  /** SEND with a receipt; `onReceipt` runs when the server has it. */
  send(headers: Readonly<Record<string, string>>, body: Buffer, onReceipt: () => void): void;
  hold(held: boolean): void;
  /** DISCONNECT, waiting for its RECEIPT a bounded time; subscriptions stay (a durable one keeps collecting). */
  leave(): Promise<void>;
  destroy(reason: string): void;
}

type Stompit = typeof import('stompit');

const require = createRequire(import.meta.url);
/** Loaded with the first session: an edge without a message bus never needs its twenty files. */
const stompit = (): Stompit => require('stompit') as Stompit;

const KEPT_HEADERS = new Set(['message-id', 'subscription', 'ack', 'timestamp']);
const LEAVE_TIMEOUT_MS = 2_000;
const FLUSH_MS = 50;

/** Text of the other side for our log: one short line. */
function printable(text: string): string {
  return text
    .slice(0, 500)
    .replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .trim();
}

/** Opens a session; failures come as `onClosed`. */
export function openSession(options: SessionOptions, handlers: SessionHandlers): Session {
  let state: 'opening' | 'open' | 'leaving' | 'closed' = 'opening';
  let version: StompVersion = '1.0';
  let left: (() => void) | null = null;
  /** Set once a message could not be read. */
  let condemned: { readonly headers: Headers; readonly reason: string } | null = null;
  let client: InstanceType<Stompit['Client']> | null = null;
  let screened: ScreenedSocket | null = null;
  const parser = new FrameParser({
    // ActiveMQ itself bounds heads far below; these only keep our memory bounded.
    maxLineBytes: 65_536,
    maxHeaders: 1_024,
    maxBodyBytes: options.maxBodyBytes,
    excess: 'curtail',
    keep: KEPT_HEADERS,
    onlyKept: true,
  });

  function close(reason: string, again = false): void {
    if (state === 'closed') return;
    state = 'closed';
    clearTimeout(timer);
    client?.destroy();
    screened?.destroy();
    left?.();
    setImmediate(() => handlers.onClosed(reason, again));
  }
  let timer = setTimeout(
    () => close(`no STOMP session within ${options.connectTimeoutMs} ms`),
    options.connectTimeoutMs,
  );

  function opened(): void {
    if (state !== 'opening') return;
    clearTimeout(timer);
    state = 'open';
    handlers.onOpen();
  }

  function onFrame(frame: Frame): void {
    const decoded = headersOf(frame, version, true);
    if (!decoded.ok) {
      close(decoded.fault.reason);
      return;
    }
    const { headers } = decoded;
    switch (frame.command) {
      case 'MESSAGE':
        if (state !== 'leaving') handlers.onMessage(frame, headers, null);
        return;
      case 'CONNECTED':
        version = VERSIONS.find((known) => known === headers.get('version')) ?? '1.0';
        toStompit(frame, headers, ['version', 'heart-beat'], /^(\d\.\d|\d{1,9}, ?\d{1,9})$/);
        return;
      case 'RECEIPT':
        toStompit(frame, headers, ['receipt-id'], /^\d{1,15}$/);
        return;
      case 'ERROR': {
        const about = `${headers.get('message') ?? ''} ${frame.body.toString('utf8', 0, 200)}`;
        close(`the server sent ERROR: ${printable(about)}`);
        return;
      }
      default:
        close('the server sent an unknown frame');
    }
  }

  /** Writes the frame anew for stompit with these headers alone, as far as their values look right. */
  function toStompit(frame: Frame, headers: Headers, names: readonly string[], form: RegExp): void {
    const good = names.flatMap((name) => {
      const value = headers.get(name);
      return value !== undefined && form.test(value) ? [[name, value] as const] : [];
    });
    screened?.inject(encodeFrame(frame.command, good, version));
  }

  function onData(chunk: Buffer): void {
    if (condemned !== null) return;
    const { frames, fault, broken } = parser.feed(chunk);
    for (const frame of frames) {
      if (state === 'closed') return;
      onFrame(frame);
    }
    if (fault === null || isClosed()) return;
    const decoded = broken === null ? null : headersOf(broken, version, true);
    if (broken === null || !decoded?.ok || !decoded.headers.has('message-id') || state === 'leaving') {
      close(`the server does not speak STOMP: ${fault.reason}`);
      return;
    }
    // Closing now would bring the same message again for ever: it is acked first, and what comes after it comes again.
    condemned = { headers: decoded.headers, reason: `a message could not be read: ${fault.reason}` };
    screened?.hold(true);
    handlers.onMessage(broken, decoded.headers, fault);
  }

  function isClosed(): boolean {
    return state === 'closed';
  }

  /** After the ack of a broken message: ends our side once the ack is written, and the session with it. */
  function endCondemned(reason: string): void {
    // stompit hands a frame over in pieces, each in a turn of its own.
    setTimeout(() => screened?.end(() => close(reason, true)), FLUSH_MS);
  }

  function connect(): void {
    const { vhost, login, passcode, clientId, target } = options;
    client?.connect({ host: vhost ?? target.host, login, passcode, 'client-id': clientId });
  }

  function connected(): void {
    if (options.subscribe === undefined) opened();
    else client?.sendFrame('SUBSCRIBE', { ...options.subscribe }, { onReceipt: opened }).end();
  }

  try {
    for (const [name, value] of Object.entries({ login: options.login, passcode: options.passcode }))
      if (value !== undefined && /[\r\n\0]/.test(value))
        throw new Error(`the ${name} holds a line end, which CONNECT cannot carry`);
    const socket = dial(options.target, connect);
    socket.setNoDelay(true);
    // For servers that decline heart-beats: the kernel then notices a half-open connection, late but surely.
    socket.setKeepAlive(true, options.heartbeatMs);
    socket.on('close', () => close('the server closed the connection'));
    screened = new ScreenedSocket(socket, onData);
    screened.on('error', (error: Error) => close(printable(error.message)));
    client = new (stompit().Client)(screened, {
      heartbeat: [options.heartbeatMs, options.heartbeatMs],
      heartbeatDelayMargin: Math.ceil(options.heartbeatMs / 2),
      heartbeatOutputMargin: Math.floor(options.heartbeatMs / 4),
    });
    client.on('connect', connected);
    client.on('error', (error: Error) => close(printable(error.message)));
    client.on('end', () => close('disconnected'));
  } catch (error) {
    close(printable(error instanceof Error ? error.message : String(error)));
  }

  return {
    ack(message) {
      if (state !== 'open' && state !== 'opening') return;
      client?.ack({ headers: Object.fromEntries(message) });
      if (condemned !== null && message === condemned.headers) endCondemned(condemned.reason);
    },
    send(headers, body, onReceipt) {
      if (state !== 'open') return;
      client?.send({ ...headers, 'content-length': body.length }, { onReceipt }).end(body);
    },
    hold(held) {
      if (state !== 'closed') screened?.hold(held || condemned !== null);
    },
    leave() {
      if (state === 'closed' || state === 'leaving') return Promise.resolve();
      const wasOpen = state === 'open';
      state = 'leaving';
      clearTimeout(timer);
      if (!wasOpen || client === null) {
        close('stopped');
        return Promise.resolve();
      }
      timer = setTimeout(() => close('no RECEIPT of our DISCONNECT'), LEAVE_TIMEOUT_MS);
      const done = new Promise<void>((resolve) => {
        left = resolve;
      });
      screened?.hold(false);
      client.disconnect(() => close('stopped'));
      return done;
    },
    destroy: (reason) => close(reason),
  };
}
