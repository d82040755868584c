/** WebSockets of clients of HTTP/2 (RFC 8441): the extended CONNECT as an upgrade, and a stream as the client's end of the tunnel. */
import type { ServerHttp2Stream } from 'node:http2';
import type { Http2Head } from '../http/http2-head.ts';
import type { RequestHead } from '../http/request-head.ts';
import { withoutKeys } from '../http/websocket.ts';
import { HIGH_WATER_BYTES } from '../upstream/turn-writer.ts';
import type { TunnelClient } from './tunnel.ts';

const CANCEL = 8;

/** The extended CONNECT as the upgrade request that it stands for. */
export function asUpgrade(head: Http2Head, key: string): RequestHead {
  return {
    ...head,
    method: 'GET',
    upgrade: head.protocol,
    kept: `${withoutKeys(head.kept)}Sec-WebSocket-Key: ${key}\r\n`,
  };
}

/** A stream as the client's end of a tunnel. RFC 8441 5: an orderly end is END_STREAM, everything else a reset. */
export function tunnelEnd(stream: ServerHttp2Stream): TunnelClient {
  return {
    write: (view) => {
      if (!stream.destroyed && !stream.writableEnded) stream.write(Buffer.from(view));
    },
    get full() {
      return stream.writableLength > HIGH_WATER_BYTES;
    },
    end: () => void stream.end(),
    pause: () => void stream.pause(),
    resume: () => void stream.resume(),
    destroySoon: () => {
      if (!stream.closed) stream.close(stream.writableEnded ? 0 : CANCEL);
    },
  };
}
