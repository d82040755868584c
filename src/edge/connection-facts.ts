/** What is known of a connection from its sockets, before a byte of HTTP. */
import type { Socket } from 'node:net';
import type { Config } from '../config/schema.ts';
import { Forwarder } from '../http/forwarding.ts';
import { plainAddress, type Trust, trustOf } from '../http/trusted-proxies.ts';
import type { ClientIdentity } from './client-certificate.ts';

/** What a listener knows of a connection. */
export interface ConnectionFacts {
  readonly scheme: 'http' | 'https';
  readonly peerAddress: string;
  readonly peerPort: number;
  /** Port that clients see. */
  readonly port: number;
  /** Of the TLS handshake, in normal form; null in plain connections and where the client named none. */
  readonly serverName: string | null;
  /** What the handshake brought to light of the client; null where no certificate was asked for. */
  readonly client: ClientIdentity | null;
}

/** Facts of an accepted socket; `port` is what clients see. */
export function factsOf(socket: Socket, scheme: 'http' | 'https', port: number): ConnectionFacts {
  return {
    scheme,
    port,
    peerAddress: plainAddress(socket.remoteAddress),
    peerPort: socket.remotePort ?? 0,
    serverName: null,
    client: null,
  };
}

/** Which peers' forwarding fields are believed, by the configuration. */
export function trustFrom(http: Config['http']): Trust {
  return trustOf(http.trustedProxies);
}

/** What writes the forwarding fields of each request of a connection. */
export function forwarderOf({ peerAddress, scheme, port, client }: ConnectionFacts, trust: Trust): Forwarder {
  const certificateLines = client?.lines ?? '';
  return new Forwarder({ peerAddress, scheme, port, trusted: trust(peerAddress), certificateLines }, trust);
}
