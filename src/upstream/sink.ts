/** Where a gear's answer goes. HTTP/1.1 and HTTP/2 downstream, and tunnels, are sinks; an exchange knows no more of them. */
import type { ResponseHead } from '../http/response-head.ts';
import type { UpstreamFailure } from './failure.ts';

/** Body views are valid during the call only: they lie in the read buffer that all upstream connections share. */
export interface ResponseSink {
  /** 1xx other than 101. */
  onInterim(head: ResponseHead): void;
  /** `bodyless`: no body follows whatever the head says (HEAD, 204, 304). */
  onHead(head: ResponseHead, bodyless: boolean): void;
  /** Body bytes: those of `view` from `start` up to `end`. */
  onBody(view: Buffer, start: number, end: number): void;
  /** The answer is whole. `trailer`: field lines that may pass on. */
  onEnd(trailer: string): void;
  /** 101: from now on raw bytes go both ways between the client and `connection`, which belongs to the sink. */
  onUpgrade(head: ResponseHead, connection: RawConnection, first: Buffer): void;
  /** No (whole) answer will come. */
  onFailure(failure: UpstreamFailure): void;
  /** Called once after each batch of the above: write out. False pauses the gear until `resume` of the exchange. */
  flush(): boolean;
  /** The gear takes body bytes (again). */
  onWritable(): void;
}

/** A gear's connection after a 101: raw bytes. */
export interface RawConnection {
  /** `onData` returns false to pause the gear until `resume`. */
  startTunnel(
    onData: (view: Buffer) => boolean,
    onEnd: () => void,
    onClose: () => void,
    onDrain: () => void,
  ): void;
  /** The bytes are the caller's again when it returns. False: wait for `onDrain`. */
  write(view: Buffer): boolean;
  resume(): void;
  /** Half-close towards the gear. */
  end(): void;
  destroy(): void;
}
