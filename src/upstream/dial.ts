/** Opens sockets to gears: TCP, then TLS where the endpoint wants it, each within its own time. What is spoken on them is for others. */
import net from 'node:net';
import tls from 'node:tls';
import type { PublishedEndpoint } from '../table/routing-table.ts';
import { dialFailure, type UpstreamFailure } from './failure.ts';
import type { UpstreamTls } from './tls-policy.ts';
import type { TlsSessions } from './tls-sessions.ts';

/** tls.connect takes it too, but its types do not say so. */
const HALF_OPEN = { allowHalfOpen: true };

/** What all dials to an endpoint have in common. */
export interface DialMeans {
  readonly endpoint: PublishedEndpoint;
  readonly connectTimeoutMs: number;
  readonly tls: UpstreamTls;
  /** Of this endpoint alone: a ticket must never be shown to another. */
  readonly sessions: TlsSessions;
}

export interface DialOptions {
  /** Host of the request: SNI towards TLS gears (domain.md 8). */
  readonly servername: string;
  /** Offered by ALPN, best first. */
  readonly protocols: readonly string[];
  /** Of plain sockets. */
  readonly onread?: net.OnReadOpts;
}

/** Opens one; exactly one of the two callbacks is called, and not before this has returned. Returns a function that gives the dial up. */
export function dialSocket(
  means: DialMeans,
  options: DialOptions,
  onOpen: (socket: net.Socket) => void,
  onFailure: (failure: UpstreamFailure) => void,
): () => void {
  const { endpoint, connectTimeoutMs } = means;
  const { servername, protocols } = options;
  let settled = false;
  const socket = endpoint.tls
    ? tls.connect({
        ...means.tls.optionsOf(endpoint, servername, protocols, means.sessions.get(servername)),
        ...HALF_OPEN,
      })
    : net.connect({
        host: endpoint.address,
        port: endpoint.port,
        ...HALF_OPEN,
        ...(options.onread === undefined ? {} : { onread: options.onread }),
      });
  const settle = (): boolean => {
    if (settled) return false;
    settled = true;
    clearTimeout(timer);
    return true;
  };
  const fail = (failure: UpstreamFailure): void => {
    if (!settle()) return;
    socket.destroy();
    onFailure(failure);
  };
  let timer = setTimeout(
    () => fail({ code: 'CONNECT_TIMEOUT', detail: `${connectTimeoutMs} ms` }),
    connectTimeoutMs,
  );
  socket.setNoDelay(true);
  // Stays for good: an error that nobody listens to would end the process.
  socket.on('error', (error: NodeJS.ErrnoException) => fail(dialFailure(error, endpoint.tls)));
  socket.once('close', () =>
    fail({ code: endpoint.tls ? 'CONNECT_TLS' : 'CONNECT_FAILED', detail: 'closed while connecting' }),
  );
  if (socket instanceof tls.TLSSocket) {
    let trusted = false;
    // Listened to from the start, or Node lets the ticket of TLS 1.2 go, which comes within the handshake; told only after it.
    socket.on('session', (session: Buffer) => {
      if (trusted) means.sessions.put(servername, session);
    });
    socket.once('connect', () => {
      if (settled) return;
      clearTimeout(timer);
      const { handshakeTimeoutMs } = means.tls;
      timer = setTimeout(
        () => fail({ code: 'CONNECT_TLS_TIMEOUT', detail: `${handshakeTimeoutMs} ms` }),
        handshakeTimeoutMs,
      );
    });
    socket.once('secureConnect', () => {
      if (settled) return;
      const failure = means.tls.judge(socket, endpoint);
      if (failure !== null) fail(failure);
      else if (settle()) {
        trusted = true;
        onOpen(socket);
      }
    });
  } else {
    socket.once('connect', () => {
      if (settle()) onOpen(socket);
    });
  }
  return () => {
    if (settle()) socket.destroy();
  };
}
