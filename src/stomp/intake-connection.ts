/**
 * One client of the intake, from accept to close. OpenShift's plugin (Ruby stomp gem) opens one for each message: CONNECT,
 * SEND, DISCONNECT, and closes without waiting for anything (domain.md 1, 1.4), so what was read before the end is delivered.
 */
import type { Socket } from 'node:net';
import type { Log } from '../telemetry/types.ts';
import type { DeliverySink } from './delivery.ts';
import { FrameParser } from './frame.ts';
import type { Headers, StompVersion } from './frame-text.ts';
import type { Frame } from './frame-types.ts';
import { createFrameWriter, type FrameWriter } from './frame-writer.ts';
import { handshake } from './handshake.ts';
import type { Budget, IntakeLimits } from './intake-limits.ts';
import { readRequest } from './intake-request.ts';
import type { WantedLogin } from './login.ts';

export interface RefusedClient {
  readonly source: string;
  readonly code: string;
  readonly reason: string;
}

export interface ConnectionOptions {
  readonly wanted: WantedLogin;
  readonly limits: IntakeLimits;
  readonly idleTimeoutMs: number;
  readonly maxBodyBytes: number;
  readonly budget: Budget;
  readonly deliver: DeliverySink;
  readonly log: Log;
  /** A client was turned away or broke a rule. */
  readonly onRefused: (refusal: RefusedClient) => void;
}

/**
 * What the connection waits for, which decides how long it may: a good CONNECT; the rest of a frame, or the client taking
 * our answers; the next frame; our own durability; the client seeing our last answer.
 */
type Phase = 'login' | 'owing' | 'idle' | 'busy' | 'closing';

const LINE_END = Buffer.from('\n');

export class IntakeConnection {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #parser: FrameParser;
  readonly #source: string;
  readonly #writer: FrameWriter;
  #version: StompVersion | null = null;
  /** Frames read but not taken yet, while the connection is held back: at most those of one chunk. */
  #waiting: Frame[] = [];
  /** Said once the frames before it are taken. */
  #fault: { readonly code: string; readonly reason: string } | null = null;
  #ended = false;
  #unconfirmed = 0;
  /** Set by DISCONNECT: its receipt, or '' without one. */
  #farewell: string | null = null;
  #phase: Phase = 'login';
  #timer: NodeJS.Timeout;
  #idleMs: number;
  #beat: NodeJS.Timeout | undefined;
  #proceeding = false;
  readonly #wake = () => this.#proceed(false);

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#writer = createFrameWriter(socket);
    this.#idleMs = options.idleTimeoutMs;
    this.#source = `intake:${socket.remoteAddress ?? 'gone'}`;
    const { maxLineBytes, maxHeaders, loginTimeoutMs } = options.limits;
    const { maxBodyBytes } = options;
    this.#parser = new FrameParser({ maxLineBytes, maxHeaders, maxBodyBytes, excess: 'refuse' });
    this.#timer = setTimeout(() => this.#expire(), loginTimeoutMs);
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('end', () => {
      this.#ended = true;
      this.#proceed(false);
    });
    socket.on('drain', this.#wake);
    // A reset or a broken pipe; 'close' follows and cleans up.
    socket.on('error', (error) => options.log.debug('intake connection broke', { reason: error.message }));
    socket.on('close', () => this.#onClose());
  }

  /** Takes no more; closes as soon as what was taken is durable. */
  finish(): void {
    this.#farewell ??= '';
    this.#waiting = [];
    this.#proceed(false);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Turns the client away with an ERROR frame and closes. */
  refuse(code: string, reason: string, receipt?: string): void {
    if (this.#phase === 'closing') return;
    this.#options.onRefused({ source: this.#source, code, reason });
    this.#write('ERROR', [
      ['message', reason],
      ...(receipt === undefined ? [] : [['receipt-id', receipt] as const]),
      // What 1.1 asks of a refused negotiation; harmless in other refusals before CONNECTED.
      ...(this.#version === null ? [['version', '1.0,1.1,1.2'] as const] : []),
    ]);
    this.#close();
  }

  #onData(chunk: Buffer): void {
    if (this.#phase === 'closing') return;
    const { frames, fault } = this.#parser.feed(chunk);
    for (const frame of frames) this.#waiting.push(frame);
    this.#fault = fault;
    this.#proceed(frames.length > 0);
    // Any byte shows that an idle client lives; it makes neither an open frame nor a login any younger.
    if (this.#phase === 'idle') this.#timer.refresh();
  }

  /** True while nothing more may be taken from this client. */
  #isHeldBack(): boolean {
    const { limits, budget } = this.#options;
    const spent = budget.isSpent();
    if (spent) budget.whenFree(this.#wake);
    return spent || this.#unconfirmed >= limits.maxUnconfirmed || this.#isUnread();
  }

  #isClosing(): boolean {
    return this.#phase === 'closing';
  }

  #takesFrames(): boolean {
    return !this.#isClosing() && this.#farewell === null;
  }

  #isUnread(): boolean {
    return this.#socket.writableLength > this.#options.limits.maxUnsentBytes;
  }

  /** Takes what waits, as far as it may, then sets reading and the clock to what comes next. */
  #proceed(progress: boolean): void {
    // An ack may come from within `deliver`; the loop below then simply goes on.
    if (this.#proceeding || this.#phase === 'closing') return;
    this.#proceeding = true;
    let taken = 0;
    while (this.#takesFrames() && !this.#isHeldBack()) {
      const frame = this.#waiting[taken];
      if (frame === undefined) break;
      taken += 1;
      this.#onFrame(frame);
    }
    this.#waiting.splice(0, taken);
    this.#proceeding = false;
    if (!this.#isClosing()) this.#settle(progress || taken > 0);
  }

  #settle(progress: boolean): void {
    const drained = this.#waiting.length === 0;
    if (this.#farewell === null && drained && this.#fault !== null) {
      this.refuse(this.#fault.code, this.#fault.reason);
    } else if (this.#unconfirmed === 0 && (this.#farewell !== null || (drained && this.#ended))) {
      if (this.#farewell) this.#write('RECEIPT', [['receipt-id', this.#farewell]]);
      this.#close();
    } else {
      if (drained && this.#farewell === null && !this.#isHeldBack()) this.#socket.resume();
      else this.#socket.pause();
      this.#setClock(progress);
    }
  }

  #onFrame(frame: Frame): void {
    const request = readRequest(frame, this.#version);
    if (request.kind === 'connect') this.#onConnect(request.headers);
    else if (request.kind === 'send') this.#onSend(request.body, request.receipt);
    else if (request.kind === 'disconnect') this.#farewell = request.receipt ?? '';
    else this.refuse(request.code, request.reason, request.receipt);
  }

  #onConnect(headers: Headers): void {
    const agreed = handshake(headers, this.#options.wanted, this.#options.idleTimeoutMs);
    if (!agreed.ok) {
      this.refuse(agreed.code, agreed.reason);
      return;
    }
    this.#version = agreed.version;
    this.#idleMs = agreed.idleMs;
    this.#write('CONNECTED', agreed.answer);
    if (agreed.beatMs > 0)
      this.#beat = setInterval(() => {
        if (this.#socket.writableLength === 0) this.#socket.write(LINE_END);
      }, agreed.beatMs);
  }

  #onSend(body: Buffer, receipt: string | undefined): void {
    const { budget, deliver } = this.#options;
    this.#unconfirmed += 1;
    budget.take(body.length);
    let acked = false;
    deliver({
      body,
      source: this.#source,
      messageId: null,
      receivedAt: Date.now(),
      sentAt: null,
      ack: () => {
        if (acked) return;
        acked = true;
        this.#unconfirmed -= 1;
        budget.release(body.length);
        if (receipt !== undefined) this.#write('RECEIPT', [['receipt-id', receipt]]);
        this.#proceed(false);
      },
    });
  }

  #write(command: string, headers: readonly (readonly [string, string])[]): void {
    if (this.#phase !== 'closing') this.#writer(command, headers, this.#version ?? '1.0');
  }

  /** One clock a connection; `progress` starts it anew also when the phase stays. */
  #setClock(progress: boolean): void {
    const phase = this.#currentPhase();
    if (phase === 'login' || (phase === this.#phase && !progress)) return;
    this.#phase = phase;
    clearTimeout(this.#timer);
    // While the client waits for us there is no limit: a store in trouble must not cost events.
    if (phase === 'busy') return;
    const limitMs = phase === 'owing' ? this.#options.limits.frameTimeoutMs : this.#idleMs;
    this.#timer = setTimeout(() => this.#expire(), limitMs);
  }

  #currentPhase(): Phase {
    if (this.#version === null) return 'login';
    if (this.#unconfirmed > 0) return 'busy';
    if (this.#isUnread()) return 'owing';
    if (this.#waiting.length > 0) return 'busy';
    return this.#parser.midFrame() ? 'owing' : 'idle';
  }

  #expire(): void {
    if (this.#phase === 'closing') this.#socket.destroy();
    else if (this.#phase === 'login') this.refuse('STOMP_TIMEOUT', 'no CONNECT in time');
    else if (this.#phase === 'owing') this.refuse('STOMP_TIMEOUT', 'a frame took too long');
    else this.#close();
  }

  #stopClocks(): void {
    this.#phase = 'closing';
    clearInterval(this.#beat);
    clearTimeout(this.#timer);
  }

  /** Ends our side, and drops what still comes for a while: closing over unread bytes would take our last answer with it. */
  #close(): void {
    this.#stopClocks();
    this.#waiting = [];
    this.#timer = setTimeout(() => this.#expire(), this.#options.limits.lingerMs);
    this.#socket.end();
    this.#socket.resume();
  }

  #onClose(): void {
    // A client that sends, resets and is gone: what was read whole still counts (bounded: one chunk).
    for (const frame of this.#waiting) if (this.#takesFrames()) this.#onFrame(frame);
    this.#waiting = [];
    this.#stopClocks();
    this.#options.budget.forget(this.#wake);
  }
}
