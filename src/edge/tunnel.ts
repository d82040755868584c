/** After a 101: raw bytes both ways, back-pressure both ways, half-close passed on, an idle time of its own. */
import type { Socket } from 'node:net';
import type { RawConnection } from '../upstream/sink.ts';
import { HIGH_WATER_BYTES } from '../upstream/upstream-connection.ts';

export interface TunnelOptions {
  readonly idleTimeoutMs: number;
  /** The tunnel is over; bytes from the client and from the gear. */
  onOver(bytesIn: number, bytesOut: number): void;
}

export interface Tunnel {
  /** Bytes from the client. */
  fromClient(bytes: Buffer): void;
  clientEnded(): void;
  /** The client's socket has room again. */
  clientDrained(): void;
  sweep(now: number): void;
  close(): void;
}

/** Joins the client's socket, whose events the caller hands on, to a gear's connection. */
export function startTunnel(client: Socket, gear: RawConnection, options: TunnelOptions): Tunnel {
  let bytesIn = 0;
  let bytesOut = 0;
  let lastActivity = performance.now();
  let clientOpen = true;
  let gearOpen = true;
  let over = false;

  const close = (): void => {
    if (over) return;
    over = true;
    gear.destroy();
    client.destroySoon();
    options.onOver(bytesIn, bytesOut);
  };
  const closeWhenBothEnded = (): void => {
    if (!clientOpen && !gearOpen) close();
  };

  gear.startTunnel(
    (view) => {
      lastActivity = performance.now();
      bytesOut += view.length;
      client.write(Buffer.from(view));
      return client.writableLength <= HIGH_WATER_BYTES;
    },
    () => {
      gearOpen = false;
      client.end();
      closeWhenBothEnded();
    },
    close,
    () => void client.resume(),
  );

  return {
    fromClient(bytes) {
      lastActivity = performance.now();
      bytesIn += bytes.length;
      if (!gear.write(bytes)) client.pause();
    },
    clientEnded() {
      clientOpen = false;
      gear.end();
      closeWhenBothEnded();
    },
    clientDrained: () => gear.resume(),
    sweep(now) {
      if (now - lastActivity > options.idleTimeoutMs) close();
    },
    close,
  };
}
