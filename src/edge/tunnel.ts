/** After a 101: raw bytes both ways, back-pressure both ways, half-close passed on, an idle time of its own. */
import type { Socket } from 'node:net';
import type { RequestContext } from '../telemetry/request-context.ts';
import type { RawConnection } from '../upstream/sink.ts';
import type { TurnWriter } from '../upstream/turn-writer.ts';
import type { Serving } from './serving.ts';

/** The client's end: a socket, or a stream of HTTP/2. */
export interface TunnelClient {
  /** The bytes are the caller's again when it returns. */
  write(view: Buffer): unknown;
  /** What was written waits: the gear should pause. */
  readonly full: boolean;
  end(): unknown;
  pause(): unknown;
  resume(): unknown;
  /** Writes out what is gathered, then closes. */
  destroySoon(): void;
}

export interface TunnelOptions {
  readonly idleTimeoutMs: number;
  /** The tunnel is over; bytes from the client and from the gear. */
  onOver(bytesIn: number, bytesOut: number): void;
}

/** A request's tunnel: what went through it counts as the request's bodies, and its end as the request's. */
export function tunnelOptions(
  serving: Pick<Serving, 'http'>,
  context: RequestContext | null,
  record: () => void,
): TunnelOptions {
  return {
    idleTimeoutMs: serving.http.tunnelIdleTimeoutMs,
    onOver(bytesIn, bytesOut) {
      if (context !== null) {
        context.bytesIn += bytesIn;
        context.bytesOut += bytesOut;
      }
      record();
    },
  };
}

export interface Tunnel {
  /** Whether the gear has said anything. */
  readonly answered: boolean;
  /** Bytes from the client, which are the caller's again when it returns. */
  fromClient(view: Buffer): void;
  clientEnded(): void;
  /** The client's socket has room again. */
  clientDrained(): void;
  sweep(now: number): void;
  close(): void;
}

/** A client that vanished without a word is noticed long before the idle time of a tunnel. */
const KEEP_ALIVE_MS = 60_000;

/** A socket as the client's end. Pausing goes through its owner, as does its closing, which the owner may take time for. */
export function socketEnd(
  socket: Socket,
  writer: TurnWriter,
  owner: Pick<TunnelClient, 'pause' | 'resume' | 'destroySoon'>,
): TunnelClient {
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return {
    ...owner,
    write: (view) => writer.writeBytes(view),
    get full() {
      return writer.full;
    },
    end: () => writer.end(),
  };
}

/** Joins the client's end, whose events the caller hands on, to a gear's connection. */
export function startTunnel(client: TunnelClient, gear: RawConnection, options: TunnelOptions): Tunnel {
  let bytesIn = 0;
  let bytesOut = 0;
  let lastActivity = performance.now();
  let clientOpen = true;
  let gearOpen = true;
  let over = false;

  const close = (): void => {
    if (over) return;
    over = true;
    // When both have ended, the gear's connection closes by itself once it has taken what is on its way.
    if (clientOpen || gearOpen) gear.destroy();
    client.destroySoon();
    options.onOver(bytesIn, bytesOut);
  };

  gear.startTunnel(
    (view) => {
      lastActivity = performance.now();
      bytesOut += view.length;
      client.write(view);
      return !client.full;
    },
    () => {
      gearOpen = false;
      client.end();
    },
    close,
    () => void client.resume(),
  );

  return {
    get answered() {
      return bytesOut > 0;
    },
    fromClient(view) {
      lastActivity = performance.now();
      bytesIn += view.length;
      if (!gear.write(view)) client.pause();
    },
    clientEnded() {
      clientOpen = false;
      gear.end();
    },
    clientDrained: () => gear.resume(),
    sweep(now) {
      if (now - lastActivity > options.idleTimeoutMs) close();
    },
    close,
  };
}
