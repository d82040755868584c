/** What a stream knows of the HTTP/2 connection that it came on. */
import type { Forwarder } from '../http/forwarding.ts';
import type { Placed } from '../upstream/placed-list.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { Serving } from './serving.ts';

/** A stream's request as its connection sweeps it. */
export interface SweptRequest extends Placed {
  sweep(now: number): void;
}

/** What a request sees of its connection. */
export interface Http2Owner {
  readonly serving: Serving;
  readonly facts: ConnectionFacts;
  /** Why the connection is being ended, or ''. */
  readonly failure: string;
  /** Bytes that may wait in one stream: the more streams, the fewer. */
  readonly waitingLimit: number;
  readonly forwarder: Forwarder;
  /** The stream is closed; `brokenOff`: by the client, before its answer was out. */
  onClosed(request: SweptRequest, brokenOff: boolean): void;
}
