/**
 * A write that goes from here to the kernel without the stream machinery between, for small pieces that the kernel takes at once, as it
 * nearly always does: the machinery costs about as much as the system call's way through Node itself (`npm run bench`). It uses what
 * `net.Socket` uses underneath, which Node 20, 22 and 24 have alike; where anything of it is missing nothing is done and the
 * caller writes to the socket as ever (`test/upstream/turn-writer.test.ts` says which it is). Plain TCP only: TLS has rules of its own
 * (secure-write.ts).
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { getSystemErrorName } from 'node:util';

/** What Node calls WriteWrap: stands for one write until it is over. */
export interface WriteRequest {
  oncomplete?: (status: number) => void;
  /** Keeps the bytes alive. */
  buffer?: string | Uint8Array;
  /** UNUSED while it stands for no write. */
  getAsyncId(): number;
}

const UNUSED = -1;

/** A socket's handle as far as it is needed. Both writes return 0 or a negative system error. */
export interface DirectHandle {
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
  writeLatin1String(request: WriteRequest, text: string): number;
}

/** Whoever writes. */
export interface WriteOwner {
  onTaken(): void;
  /** A write has failed. Default: the socket is destroyed with the error, as by its own write. */
  onFailed?(error: NodeJS.ErrnoException): void;
}

type Inside = { readonly _handle?: Partial<DirectHandle> | null };

/** The methods by which a socket writes; the first argument of each is a write request. */
const WRITES = ['writeBuffer', 'writeLatin1String', 'writeUtf8String', 'writev'] as const;

let WriteRequestOf: (new () => WriteRequest) | null = null;
/** A write that the kernel took at once leaves its request unused. */
let spare: WriteRequest | null = null;

/** What `writeDirectly` writes to, or null: for a kind of socket that has none, or (of the process's first) before a write of its own has shown how. */
export function directHandle(socket: Socket): DirectHandle | null {
  return socket instanceof TLSSocket ? null : (knownHandle(socket)?.handle ?? null);
}

/** A socket's handle and what stands for a write to it, of TCP or of TLS; null where Node has them otherwise, or as for `directHandle`. */
export function knownHandle(
  socket: Socket,
): { readonly handle: DirectHandle; readonly WriteRequestOf: new () => WriteRequest } | null {
  const handle = (socket as unknown as Inside)._handle;
  if (typeof handle?.writeBuffer !== 'function' || typeof handle.writeLatin1String !== 'function')
    return null;
  if (WriteRequestOf === null) learnFrom(handle);
  return WriteRequestOf === null ? null : { handle: handle as DirectHandle, WriteRequestOf };
}

/**
 * For a socket on which no write is under way. Returns 'taken': the kernel has it all, the bytes are the caller's again; or 'held': the
 * kernel takes it when it can and the bytes are not the caller's any more; `owner.onTaken` is called then.
 */
export function writeDirectly(
  socket: Socket,
  handle: DirectHandle,
  piece: string | Uint8Array,
  owner: WriteOwner,
): 'taken' | 'held' {
  if (WriteRequestOf === null || socket.destroyed) return 'taken';
  const request = spare ?? new WriteRequestOf();
  spare = null;
  const error =
    typeof piece === 'string' ? handle.writeLatin1String(request, piece) : handle.writeBuffer(request, piece);
  if (error !== 0) {
    fail(socket, error, owner);
    return 'taken';
  }
  // Not whether anything waits in the handle: of what the kernel takes at a second attempt nothing does, but its request is in use.
  if (request.getAsyncId() === UNUSED) {
    spare = request;
    return 'taken';
  }
  request.buffer = piece;
  request.oncomplete = (status) => {
    delete request.buffer;
    if (status < 0 && !socket.destroyed) fail(socket, status, owner);
    owner.onTaken();
  };
  return 'held';
}

function fail(socket: Socket, status: number, owner: WriteOwner): void {
  if (owner.onFailed === undefined) socket.destroy(writeError(status));
  else owner.onFailed(writeError(status));
}

/** Nothing hands out what Node calls WriteWrap but the socket's own next write. */
function learnFrom(handle: object): void {
  for (const name of WRITES) {
    watchCall(handle, name, (request) => {
      const Request = (request as object).constructor as new () => Partial<WriteRequest>;
      if (new Request().getAsyncId?.() === UNUSED) WriteRequestOf ??= Request as new () => WriteRequest;
    });
  }
}

/** Tells of the next call of a method that `target` inherits, before it is made. */
export function watchCall(
  target: object,
  name: string,
  onCall: (...parameters: readonly unknown[]) => void,
): void {
  const watched = target as Record<string, unknown>;
  const method = watched[name];
  if (Object.hasOwn(watched, name) || typeof method !== 'function') return;
  watched[name] = (...parameters: unknown[]): unknown => {
    delete watched[name];
    onCall(...parameters);
    return Reflect.apply(method, target, parameters);
  };
}

/** As the socket itself would give it. */
export function writeError(status: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`write ${code}`), { errno: status, code, syscall: 'write' });
}
