/** One event body as it came in, whatever way. The control loop calls `ack` once the event is durable, and never nacks. */
export interface Delivery {
  readonly body: Buffer;
  /** Length of the body as it was sent, where `body` is not all of it. */
  readonly bodyBytes?: number;
  /** Why the transport could not take it as it came: it goes to quarantine unread. */
  readonly refused?: { readonly code: string; readonly reason: string };
  /** Where it came from, for provenance: `bus:host:port`, `intake:address`. */
  readonly source: string;
  readonly messageId: string | null;
  /** Epoch milliseconds of arrival here. */
  readonly receivedAt: number;
  /** Epoch milliseconds at which the message bus took it, where it says so. */
  readonly sentAt: number | null;
  /** Confirms to the sender: this event is durable, or durably quarantined. Safe to call after the connection went. */
  ack(): void;
}

/**
 * Takes deliveries in order. What is in flight is bounded by the sources: the bus by its prefetch, the intake by the
 * unconfirmed SENDs a connection may have.
 */
export type DeliverySink = (delivery: Delivery) => void;
