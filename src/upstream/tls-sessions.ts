/**
 * TLS sessions with gears: the next connection to an endpoint for the same server name resumes, which spares both sides most of a handshake.
 * They are kept longer than connections are: an application that is asked once a minute is the one that makes a connection each time.
 */
import type { PublishedEndpoint } from '../table/routing-table.ts';

/** Host names that an application is reached by: its own, the ha- name and aliases. More than this many take turns. */
const MAX_NAMES = 32;
/** Endpoints with sessions; a session takes about 1.5 KiB. The oldest go first. */
const MAX_ENDPOINTS = 10_000;

export interface TlsSessions {
  /** The latest session of this name, or undefined. */
  get(servername: string): Buffer | undefined;
  /** Keep it only after the certificate was judged: a resumed handshake shows none. */
  put(servername: string, session: Buffer): void;
}

/** An empty set; it costs nothing before the first `put`. */
export function createTlsSessions(): TlsSessions {
  let byName: Map<string, Buffer> | null = null;
  return {
    get: (servername) => byName?.get(servername),
    put(servername, session) {
      byName ??= new Map();
      byName.delete(servername);
      byName.set(servername, session);
      if (byName.size > MAX_NAMES) dropOldest(byName);
    },
  };
}

export interface SessionStore {
  /** The sessions of an endpoint; of a plain one an empty set that is not kept. */
  of(endpoint: PublishedEndpoint): TlsSessions;
  /** The endpoint left the table. */
  forget(endpointId: string): void;
}

/** By endpoint: a ticket must never be shown to another. */
export function createSessionStore(): SessionStore {
  const byEndpoint = new Map<string, TlsSessions>();
  return {
    of(endpoint) {
      const known = byEndpoint.get(endpoint.id);
      if (known !== undefined) return known;
      const sessions = createTlsSessions();
      if (!endpoint.tls) return sessions;
      byEndpoint.set(endpoint.id, sessions);
      if (byEndpoint.size > MAX_ENDPOINTS) dropOldest(byEndpoint);
      return sessions;
    },
    forget: (endpointId) => void byEndpoint.delete(endpointId),
  };
}

function dropOldest(map: Map<string, unknown>): void {
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
