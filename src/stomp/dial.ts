/** Opens the TCP or TLS connection to one host of the message bus. */
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import type { BusConfig } from '../config/schema.ts';

export type BusHost = BusConfig['hosts'][number];

/** `host:port` for people and provenance, an IPv6 address in brackets. */
export function serverName(target: Pick<BusHost, 'host' | 'port'>): string {
  return target.host.includes(':') ? `[${target.host}]:${target.port}` : `${target.host}:${target.port}`;
}

/**
 * Starts connecting; `ready` runs once bytes may be written (for TLS: the server is verified). The name is resolved anew each
 * time and the TLS files are read anew, so neither a moved host nor a renewed client certificate needs a restart.
 * Throws when a TLS file cannot be read or is not PEM.
 */
export function dial(target: BusHost, ready: () => void): net.Socket {
  const host = target.host.replace(/^\[(.*)\]$/, '$1');
  if (target.tls === undefined) return net.connect({ host, port: target.port }, ready);
  const { caFile, certFile, keyFile, servername, verify } = target.tls;
  const name = servername ?? (net.isIP(host) === 0 ? host : undefined);
  return tls.connect(
    {
      host,
      port: target.port,
      rejectUnauthorized: verify,
      ...(name === undefined ? {} : { servername: name }),
      ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
      ...(certFile === undefined ? {} : { cert: readFileSync(certFile) }),
      ...(keyFile === undefined ? {} : { key: readFileSync(keyFile) }),
    },
    ready,
  );
}
