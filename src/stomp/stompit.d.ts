/** What Headgear uses of stompit 1.0; the published types describe an older version. */
declare module 'stompit' {
  import type { EventEmitter } from 'node:events';
  import type { Duplex, Writable } from 'node:stream';

  /** Undefined values are left out of the frame. */
  type FrameHeaders = Record<string, string | number | undefined>;

  interface ClientOptions {
    /** [we send, we want] in milliseconds. */
    heartbeat?: [number, number];
    /** Grace added to the interval in which the other side must have sent something. */
    heartbeatDelayMargin?: number;
    /** How much earlier than agreed our own beat goes out. */
    heartbeatOutputMargin?: number;
    maxLineLength?: number;
    maxHeaders?: number;
  }

  interface SendOptions {
    onReceipt?: () => void;
  }

  class Client extends EventEmitter {
    constructor(transport: Duplex, options?: ClientOptions);
    connect(headers: FrameHeaders): void;
    sendFrame(command: string, headers: FrameHeaders, options?: SendOptions): Writable;
    send(headers: FrameHeaders, options?: SendOptions): Writable;
    ack(message: { headers: FrameHeaders }): void;
    disconnect(callback: (error: Error | null) => void): void;
    destroy(error?: Error): void;
  }

  const stompit: { Client: typeof Client };
  export = stompit;
}
