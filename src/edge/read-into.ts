/**
 * Reads of an accepted socket into one buffer that all connections share. Node offers that (`onread`) for sockets that dial only; for
 * accepted ones each read costs an allocation of 64 KiB that is cut down again, and a walk through the stream machinery: about a
 * tenth of a request. What `onread` sets is set here from outside, by three symbols that Node 20, 22 and 24 have alike. Where one is
 * missing nothing is done and the caller's 'data' events bring the bytes as ever (`test/edge/read-into.test.ts` says which it is). The
 * alternative, a second socket around the first one's handle, loses the server's count of its connections.
 */
import type { Socket } from 'node:net';
import { clientReads } from '../upstream/arena.ts';
import { evenTlsReads } from './even-tls-reads.ts';
import { symbolNamed } from './symbol-named.ts';

interface Means {
  readonly buffer: symbol;
  readonly callback: symbol;
  readonly generator: symbol;
}

/** The socket as far as it has what is needed. */
interface Inside {
  [key: symbol]: unknown;
  readonly _handle?: { useUserBuffer?: (buffer: Buffer) => void } | null;
}

let means: Means | null | undefined;

/**
 * From now on what `socket` reads is handed to `onView` and not to 'data', in a view that is valid during the call only. Bytes that
 * lie in the socket already still come as 'data', before those. Where `onView` says false nothing more is read until the socket is resumed.
 * Returns whether it could be done. The caller resumes the socket.
 */
export function readInto(socket: Socket, onView: (view: Buffer) => unknown): boolean {
  means ??= findMeans(socket);
  const inside = socket as unknown as Inside;
  const handle = inside._handle;
  if (means === null || typeof handle?.useUserBuffer !== 'function') return false;
  inside[means.buffer] = clientReads.buffer;
  inside[means.generator] = null;
  const even = evenTlsReads(socket);
  inside[means.callback] = (length: number): boolean => {
    const goOn = onView(clientReads.viewOf(length)) !== false;
    if (goOn && even !== null) even(length);
    return goOn;
  };
  handle.useUserBuffer(clientReads.buffer);
  return true;
}

function findMeans(socket: Socket): Means | null {
  const buffer = symbolNamed(socket, 'kBuffer');
  const callback = symbolNamed(socket, 'kBufferCb');
  const generator = symbolNamed(socket, 'kBufferGen');
  return buffer === undefined || callback === undefined || generator === undefined
    ? null
    : { buffer, callback, generator };
}
