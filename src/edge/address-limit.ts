/** How many connections one client address may have open, over all listeners. */
import type { Socket } from 'node:net';
import { addressBytes } from '../http/address-bytes.ts';
import type { Trust } from '../http/trusted-proxies.ts';
import type { Metrics } from '../telemetry/types.ts';
import type { ConnectionFacts } from './connection-facts.ts';

type OnConnection = (socket: Socket, facts: ConnectionFacts) => void;

/** One customer is given at least this much of IPv6 (RFC 6177); single addresses of it are for the taking. */
const IPV6_PREFIX_BYTES = 8;

/**
 * Wraps what takes connections over: above the limit they are closed at once. Addresses are those that a PROXY header names, where there is
 * one. `trusted` proxies stand for many clients and are not counted. A limit of 0 gives `onConnection` back as it is.
 */
export function createAddressLimit(options: {
  readonly maxPerAddress: number;
  readonly trusted: Trust;
  readonly metrics: Metrics;
}): (onConnection: OnConnection) => OnConnection {
  const { maxPerAddress, trusted, metrics } = options;
  if (maxPerAddress === 0) return (onConnection) => onConnection;
  const open = new Map<string, number>();
  const refused = metrics.counter(
    'connections_over_address_limit_total',
    'Connections closed because their client address had too many',
  );
  return (onConnection) => (socket, facts) => {
    if (trusted(facts.peerAddress)) {
      onConnection(socket, facts);
      return;
    }
    const key = keyOf(facts.peerAddress);
    const count = open.get(key) ?? 0;
    if (count >= maxPerAddress) {
      refused.inc();
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    open.set(key, count + 1);
    socket.once('close', () => {
      const left = (open.get(key) ?? 1) - 1;
      if (left > 0) open.set(key, left);
      else open.delete(key);
    });
    onConnection(socket, facts);
  };
}

function keyOf(address: string): string {
  if (!address.includes(':')) return address;
  return addressBytes(address)?.slice(0, IPV6_PREFIX_BYTES).join('.') ?? address;
}
