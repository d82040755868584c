/** Takes the PROXY header off a connection before anything else is read from it. */
import type { Socket } from 'node:net';
import { plainAddress } from '../http/trusted-proxies.ts';
import { type ProxySource, readProxyHeader } from './proxy-header.ts';

const HEADER_TIMEOUT_MS = 5_000;

/**
 * Reads the header and calls `onReady` once, with the client it names (null: the socket's own peer) and the socket paused; what came behind
 * the header is back in the socket's buffer. A peer that must send a header and does not is cut off: whether bytes are a header is
 * never guessed, because a client could then write its own.
 */
export function acceptProxied(
  socket: Socket,
  onReady: (source: ProxySource | null) => void,
  onFailure: (reason: string) => void,
): void {
  let bytes: Buffer = Buffer.alloc(0);
  const finish = (): void => {
    clearTimeout(timer);
    socket.off('data', onData).off('end', onGone).off('error', onGone).off('close', onGone);
  };
  const fail = (reason: string): void => {
    finish();
    socket.on('error', () => {});
    socket.destroy();
    onFailure(reason);
  };
  const onGone = (): void => fail('the connection went before its PROXY header was whole');
  const onData = (chunk: Buffer): void => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    const header = readProxyHeader(bytes);
    if (header.kind === 'more') return;
    if (header.kind === 'invalid') {
      fail(header.reason);
      return;
    }
    finish();
    socket.pause();
    const rest = bytes.subarray(header.length);
    if (rest.length > 0) socket.unshift(rest);
    onReady(
      header.source === null ? null : { ...header.source, address: plainAddress(header.source.address) },
    );
    socket.resume();
  };
  const timer = setTimeout(() => fail('no PROXY header in time'), HEADER_TIMEOUT_MS);
  socket.on('data', onData).on('end', onGone).on('error', onGone).on('close', onGone);
}
