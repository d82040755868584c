/** A listening socket: binds, counts, refuses above the limit. What a connection means is the caller's affair. */
import net from 'node:net';
import type { ListenerConfig } from '../config/schema.ts';
import { trustOf } from '../http/trusted-proxies.ts';
import { acceptHold } from '../upstream/accept-hold.ts';
import { acceptProxied } from './accept-proxied.ts';
import { type ConnectionFacts, factsOf } from './connection-facts.ts';
import { meetSocketShapes } from './socket-shapes.ts';

const BACKLOG = 4_096;

export interface Listener {
  readonly address: net.AddressInfo;
  /** Stops accepting; open connections stay. */
  close(): Promise<void>;
}

export interface ListenOptions {
  /** Open connections, from which on new ones are refused at once. */
  readonly maxConnections: number;
  onConnection(socket: net.Socket, facts: ConnectionFacts): void;
  /** A peer that must send a PROXY header did not, or sent a malformed one. */
  onProxyHeaderFailure(reason: string): void;
  /** Accepting failed (file descriptors, memory); the listener goes on. */
  onError(error: Error): void;
}

/** Binds; rejects with the system's error (EADDRINUSE, EACCES) when it cannot. `::` falls back to `0.0.0.0` where IPv6 is off. */
export async function startListener(
  config: ListenerConfig,
  scheme: 'http' | 'https',
  options: ListenOptions,
): Promise<Listener> {
  meetSocketShapes();
  let advertisedPort = config.advertisedPort ?? config.port;
  const sendsProxyHeader = trustOf(config.proxyProtocolFrom);
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    acceptHold.noteAccepted();
    const facts = factsOf(socket, scheme, advertisedPort);
    if (!sendsProxyHeader(facts.peerAddress)) {
      options.onConnection(socket, facts);
      return;
    }
    acceptProxied(
      socket,
      (source) =>
        options.onConnection(
          socket,
          source === null ? facts : { ...facts, peerAddress: source.address, peerPort: source.port },
        ),
      options.onProxyHeaderFailure,
    );
  });
  server.maxConnections = options.maxConnections;
  try {
    await bind(server, config.host, config.port);
  } catch (error) {
    const noIpv6 = (error as NodeJS.ErrnoException).code === 'EAFNOSUPPORT' && config.host === '::';
    if (!noIpv6) throw error;
    await bind(server, '0.0.0.0', config.port);
  }
  server.on('error', options.onError);
  const address = server.address() as net.AddressInfo;
  advertisedPort = config.advertisedPort ?? address.port;
  return {
    address,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

function bind(server: net.Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(error);
    server.once('error', onError);
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off('error', onError);
      resolve();
    });
  });
}
