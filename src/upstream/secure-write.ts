/**
 * Direct writes under TLS: like those of direct-write.ts, past the stream machinery, but one at a time. The bytes are the caller's again at
 * once, since TLS has encrypted them by then; yet Node calls such a write over only in the next turn of the event loop, and a second one before that
 * ends the process (a CHECK in its TLSWrap). So nothing may be given to the socket until the owner is told, its `end` included. A process that
 * serves HTTP/2 and uploads too gains most: the machinery has seen so many kinds of streams there that its code is not compiled
 * for any (`npm run bench`).
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import {
  type DirectHandle,
  knownHandle,
  type WriteOwner,
  type WriteRequest,
  writeError,
} from './direct-write.ts';

/** For one TLS socket. */
export class SecureWrites {
  readonly #socket: Socket;
  readonly #handle: DirectHandle;
  /** For one write after the other: Node is done with it when it says that the write is over. */
  readonly #request: WriteRequest;

  private constructor(socket: Socket, handle: DirectHandle, request: WriteRequest, owner: WriteOwner) {
    this.#socket = socket;
    this.#handle = handle;
    this.#request = request;
    request.oncomplete = (status) => {
      if (status < 0) socket.destroy(writeError(status));
      owner.onTaken();
    };
  }

  /** Null where `directHandle` would say so, and for a socket that Node itself ends when the peer does: in the midst of a write that would be too early. */
  static of(socket: Socket, owner: WriteOwner): SecureWrites | null {
    if (!(socket instanceof TLSSocket) || !socket.allowHalfOpen) return null;
    const known = knownHandle(socket);
    return known === null ? null : new SecureWrites(socket, known.handle, new known.WriteRequestOf(), owner);
  }

  /**
   * For a socket with no write under way, neither one of these nor its own. The piece is the caller's again. Returns whether the owner's `onTaken`
   * is to come; false: the socket has failed and is destroyed.
   */
  write(piece: string | Uint8Array): boolean {
    if (this.#socket.destroyed) return false;
    const error =
      typeof piece === 'string'
        ? this.#handle.writeLatin1String(this.#request, piece)
        : this.#handle.writeBuffer(this.#request, piece);
    if (error === 0) return true;
    this.#socket.destroy(writeError(error));
    return false;
  }
}
