/**
 * A TLS connection that is not decrypted: from the ClientHello on its bytes go to a gear as they are. A dial that fails goes to the next
 * endpoint, because nothing has been sent by then; afterwards it is a tunnel like any other.
 */
import type { Socket } from 'node:net';
import type { PublishedEndpoint } from '../table/routing-table.ts';
import type { RequestContext } from '../telemetry/request-context.ts';
import type { UpstreamFailureCode } from '../upstream/failure.ts';
import { SendWatch } from '../upstream/send-watch.ts';
import { TurnWriter } from '../upstream/turn-writer.ts';
import type { UpstreamConnection } from '../upstream/upstream-connection.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import { endLingering } from './end-lingering.ts';
import type { PassThroughTarget } from './pass-through-target.ts';
import type { LiveConnection, Serving } from './serving.ts';
import { newContext } from './start-request.ts';
import { alert } from './tls-accept.ts';
import { socketEnd, startTunnel, type Tunnel } from './tunnel.ts';
import { proxyHeader } from './write-proxy-header.ts';

export interface PassThroughMeans {
  readonly serving: Pick<
    Serving,
    'pools' | 'maxAttempts' | 'pick' | 'observe' | 'connections' | 'generation' | 'http'
  >;
  /** Silence both ways after which a connection ends. */
  readonly idleTimeoutMs: number;
  /** How long a client may take to go on after its hello once the gear has answered, and a gear to answer. */
  readonly handshakeTimeoutMs: number;
  readonly responseTimeoutMs: number;
  /** The connection is over. Duration in microseconds. */
  record(context: RequestContext, durationUs: number): void;
}

/** How long a client may take to close after the gear has. */
const LINGER_MS = 2_000;
const ALERT_INTERNAL_ERROR = 80;
const ALERT_UNRECOGNIZED_NAME = 112;

export class PassThroughConnection implements LiveConnection {
  readonly #socket: Socket;
  readonly #writer: TurnWriter;
  readonly #facts: ConnectionFacts;
  readonly #target: PassThroughTarget;
  readonly #means: PassThroughMeans;
  readonly #context: RequestContext;
  readonly #startedAt = performance.now();
  readonly #tried: PublishedEndpoint[] = [];
  readonly #sendWatch = new SendWatch();
  /** The hello, until it is sent. */
  #hello: Buffer;
  readonly #helloBytes: number;
  #phase: 'dialling' | 'tunnel' | 'ending' | 'closed' = 'dialling';
  #phaseSince = this.#startedAt;
  #giveUpDial: (() => void) | null = null;
  #tunnel: Tunnel | null = null;
  #recorded = false;

  /** `socket` is paused, and nobody listens to it; `hello` is everything that was read from it. */
  constructor(
    socket: Socket,
    hello: Buffer,
    serverName: string,
    facts: ConnectionFacts,
    target: PassThroughTarget,
    means: PassThroughMeans,
  ) {
    this.#socket = socket;
    this.#writer = new TurnWriter(socket);
    this.#hello = hello;
    this.#helloBytes = socket.bytesRead;
    this.#facts = facts;
    this.#target = target;
    this.#means = means;
    const context = newContext(facts, this.#startedAt);
    context.protocol = 'TLS';
    context.host = serverName;
    context.app = target.app;
    context.generation = means.serving.generation;
    this.#context = context;
    means.serving.connections.add(this);
    socket.on('data', (chunk: Buffer) => this.#tunnel?.fromClient(chunk));
    socket.on('end', () => this.#tunnel?.clientEnded());
    socket.on('drain', () => this.#tunnel?.clientDrained());
    socket.on('close', () => this.#onClose());
    // 'close' follows and does the work.
    socket.on('error', () => {});
    this.#tryNext('NO_ENDPOINT', '');
  }

  /** `code`, `detail`: what to fail with where no endpoint is left. */
  #tryNext(code: UpstreamFailureCode, detail: string): void {
    const { serving } = this.#means;
    const endpoint =
      this.#context.attempts < serving.maxAttempts ? serving.pick(this.#target.endpoints, this.#tried) : null;
    if (endpoint === null) {
      this.#fail(code, detail);
      return;
    }
    this.#context.attempts++;
    this.#context.endpoint = `${endpoint.address}:${endpoint.port}`;
    this.#context.gearId = endpoint.gearId;
    this.#tried.push(endpoint);
    const pool = serving.pools.of(endpoint);
    if (pool.full) {
      this.#tryNext('ENDPOINT_FULL', '');
      return;
    }
    this.#giveUpDial = pool.dial(
      '',
      (gear) => {
        this.#giveUpDial = null;
        serving.observe(endpoint, null);
        this.#join(gear);
      },
      (failure) => {
        this.#giveUpDial = null;
        serving.observe(endpoint, failure);
        this.#tryNext(failure.code, failure.detail);
      },
    );
  }

  #join(gear: UpstreamConnection): void {
    const socket = this.#socket;
    const { proxyProtocol } = this.#target;
    this.#enter('tunnel');
    gear.openTunnel();
    const client = socketEnd(socket, this.#writer, {
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      destroySoon: () => this.#end(),
    });
    const tunnel = startTunnel(client, gear, {
      idleTimeoutMs: this.#means.idleTimeoutMs,
      onOver: (bytesIn, bytesOut) => {
        this.#context.bytesIn = bytesIn;
        this.#context.bytesOut = bytesOut;
        this.#record();
      },
    });
    if (proxyProtocol !== 'off') {
      const { peerAddress, peerPort } = this.#facts;
      const target = { address: socket.localAddress ?? '', port: socket.localPort ?? 0 };
      gear.write(proxyHeader(proxyProtocol, { address: peerAddress, port: peerPort }, target));
    }
    this.#tunnel = tunnel;
    tunnel.fromClient(this.#hello);
    this.#hello = NOTHING;
    socket.resume();
  }

  #fail(code: UpstreamFailureCode, detail: string): void {
    const unknown = code === 'NO_ENDPOINT' && this.#target.app === '';
    this.#context.failure = detail === '' ? code : `${code}:${detail}`;
    this.#record();
    this.#enter('ending');
    // The gear's to say, but there is none: only so the client learns that it is not the network.
    endLingering(this.#socket, alert(unknown ? ALERT_UNRECOGNIZED_NAME : ALERT_INTERNAL_ERROR));
  }

  /** The gear is done: what it said goes out, then the client has a moment to close. */
  #end(): void {
    if (this.#phase === 'closed' || this.#phase === 'ending') return;
    this.#enter('ending');
    this.#tunnel = null;
    this.#writer.end();
    this.#socket.resume();
  }

  #onClose(): void {
    this.#means.serving.connections.delete(this);
    this.#giveUpDial?.();
    if (this.#phase === 'dialling') this.#context.failure = 'CLIENT_GONE';
    this.#enter('closed');
    this.#tunnel?.close();
    this.#record();
  }

  #enter(phase: 'tunnel' | 'ending' | 'closed'): void {
    this.#phase = phase;
    this.#phaseSince = performance.now();
  }

  #record(): void {
    if (this.#recorded) return;
    this.#recorded = true;
    this.#means.record(this.#context, Math.round((performance.now() - this.#startedAt) * 1_000));
  }

  // --- LiveConnection ---

  sweep(now: number): void {
    const unreadMs = this.#sendWatch.stalledMs(this.#socket, now);
    if (unreadMs > this.#means.serving.http.bodyIdleTimeoutMs) this.#timeOut('CLIENT_TIMEOUT');
    else if (this.#phase === 'ending') {
      // The last bytes may take a slow client longer: only then its end is waited for.
      if (this.#sendWatch.waiting) this.#phaseSince = now;
      else if (now - this.#phaseSince > LINGER_MS) this.#socket.destroy();
    } else if (this.#phase === 'tunnel') {
      this.#sweepHandshake(now - this.#phaseSince, this.#tunnel?.answered ?? false);
      this.#tunnel?.sweep(now);
    }
  }

  /** What holds a gear's connection must take part in a handshake: a hello alone, sent by the thousand, would fill the gear. */
  #sweepHandshake(ageMs: number, answered: boolean): void {
    if (this.#socket.bytesRead > this.#helloBytes) return;
    if (!answered) {
      if (ageMs > this.#means.responseTimeoutMs) this.#timeOut('RESPONSE_TIMEOUT');
    } else if (ageMs > this.#means.handshakeTimeoutMs) this.#timeOut('CLIENT_TIMEOUT');
  }

  #timeOut(failure: 'CLIENT_TIMEOUT' | 'RESPONSE_TIMEOUT'): void {
    if (!this.#recorded) this.#context.failure = failure;
    this.#socket.destroy();
  }

  /** A connection that we cannot look into has no good moment to end: it goes on for as long as the drain waits. */
  drain(): void {}

  destroy(): void {
    this.#socket.destroy();
  }
}

const NOTHING = Buffer.alloc(0);
