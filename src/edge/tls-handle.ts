/** What the native handle under a TLSSocket can do besides, and Node itself has it do in a way that is too narrow for us. */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/**
 * Node lets only a tls.Server staple (its event OCSPRequest), by this call of the native handle, which the handshake reads later. Should it go
 * away, handshakes go on without.
 */
export function staple(socket: TLSSocket, response: Buffer): void {
  const handle = (socket as { _handle?: { setOCSPResponse?: (response: Buffer) => void } | null })._handle;
  handle?.setOCSPResponse?.(response);
}

/**
 * Gives a TLS socket the bytes that were read before it was there. Node's own way, `unshift` on the socket below, comes to the same call of the
 * native handle a turn later, through two streams. Should the call go away, it is that way.
 */
export function receive(secured: TLSSocket, socket: Socket, bytes: Buffer): void {
  const handle = (secured as { _handle?: { receive?: (bytes: Buffer) => void } | null })._handle;
  if (typeof handle?.receive === 'function') {
    handle.receive(bytes);
    return;
  }
  socket.pause();
  socket.unshift(bytes);
}
