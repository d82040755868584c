/**
 * Fewer reads of a large upload under TLS. Node reads a TLS socket into a ring of buffers, of which the first is as large as what came
 * first: of a ClientHello that we hand over (tls-accept.ts) 1 KiB, and the second 16 KiB. So a large upload is read by 16 KiB and by 1 KiB
 * in turn, twice for each record, as long as the connection lasts. The ring drops a buffer that is passed by while more than
 * two are full, so a few times, when much is there, one read of ours brings more than two hold. Then every read takes 16 KiB: 0.93 of
 * an upload of 10 MiB (`npm run bench -- hop --load upload-10m`). Which buffer is next cannot be seen, hence a few times and not once. To take all
 * reads over like this cost a third more.
 */
import { readSync } from 'node:fs';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** What a TLS record holds at most (RFC 8446 5.1): who fills them uploads much. */
const FULL_RECORD_BYTES = 16_384;
const FIRST_RECORD = 4;
const MAX_READS = 4;
const MAX_ATTEMPTS = 8;
/** More than two buffers hold, so that it takes a third. */
const room = Buffer.allocUnsafeSlow(40_000);
const ENOUGH_BYTES = 34_000;

interface Handle {
  readonly fd?: number;
  readonly reading?: boolean;
  receive?(bytes: Buffer): void;
}

/** To be told of each read of `socket`, within the call that brings it; null for a socket without TLS. */
export function evenTlsReads(socket: Socket): ((length: number) => void) | null {
  if (!(socket instanceof TLSSocket)) return null;
  let records = 0;
  let reads = 0;
  return (length) => {
    if (length !== FULL_RECORD_BYTES || reads === MAX_READS || records === FIRST_RECORD + MAX_ATTEMPTS)
      return;
    if (++records > FIRST_RECORD && readMuch(socket)) reads++;
  };
}

/** Whether much was there. */
function readMuch(socket: Socket): boolean {
  // A closed socket has no handle: the descriptor's number may be another's by then.
  const { _handle: handle } = socket as unknown as { readonly _handle?: Handle | null };
  // Not for a paused one.
  if (handle?.receive === undefined || handle.reading !== true || (handle.fd ?? -1) < 0) return false;
  let length = 0;
  try {
    length = readSync(handle.fd ?? -1, room);
  } catch (error) {
    // The kernel tells of a reset only once.
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') socket.destroy(error as Error);
  }
  // Of the end, 0, the socket's own read learns too.
  if (length > 0) handle.receive(room.subarray(0, length));
  return length > ENOUGH_BYTES;
}
