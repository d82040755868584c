/** WebSockets over HTTP/2 (RFC 8441) to gears, which know the handshake of HTTP/1.1 only (RFC 6455 4): the key and its proof are ours. */
import { createHash, randomBytes } from 'node:crypto';
import type { ServerHttp2Stream } from 'node:http2';
import type { Http2Head } from '../http/http2-head.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { TunnelClient } from './tunnel.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const KEY_FIELDS = /^sec-websocket-(?:key|accept):[^\r]*\r\n/gm;
const ACCEPT_FIELD = /(?:^|\r\n)sec-websocket-accept:[ \t]*([^\r]*?)[ \t]*\r\n/i;
const CANCEL = 8;

/** A key for one handshake. */
export function webSocketKey(): string {
  return randomBytes(16).toString('base64');
}

/** The extended CONNECT as the upgrade request that it stands for. */
export function asUpgrade(head: Http2Head, key: string): RequestHead {
  return {
    ...head,
    method: 'GET',
    upgrade: head.protocol,
    kept: `${head.kept.replaceAll(KEY_FIELDS, '')}Sec-WebSocket-Key: ${key}\r\n`,
  };
}

/** Whether the gear proved that it read the key. The client cannot see that any more, so it is ours to look. */
export function isConfirmed(answer: ResponseHead, key: string): boolean {
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  return answer.upgrade.toLowerCase() === 'websocket' && ACCEPT_FIELD.exec(answer.kept)?.[1] === accept;
}

/** A stream as the client's end of a tunnel. RFC 8441 5: an orderly end is END_STREAM, everything else a reset. */
export function tunnelEnd(stream: ServerHttp2Stream): TunnelClient {
  return {
    write: (view) => {
      if (!stream.destroyed && !stream.writableEnded) stream.write(Buffer.from(view));
    },
    get writableLength() {
      return stream.writableLength;
    },
    end: () => void stream.end(),
    pause: () => void stream.pause(),
    resume: () => void stream.resume(),
    destroySoon: () => {
      if (!stream.closed) stream.close(stream.writableEnded ? 0 : CANCEL);
    },
  };
}
