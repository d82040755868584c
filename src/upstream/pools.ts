/** All pools by endpoint id, made when needed and retired when their endpoint is gone. Two sweeps a second serve them all. */
import type { PublishedEndpoint } from '../table/routing-table.ts';
import { EndpointPool, type PoolOptions } from './pool.ts';
import { startSweep } from './sweep.ts';
import type { UpstreamTls } from './tls-policy.ts';
import { createSessionStore } from './tls-sessions.ts';

export interface Pools {
  of(endpoint: PublishedEndpoint): EndpointPool;
  /** Requests under way at an endpoint; 0 where none was ever sent. */
  load(id: string): number;
  retire(id: string): void;
  /** Number of pools: endpoints in the table that have connections. */
  size(): number;
  /** Idle connections over all pools. */
  idle(): number;
  close(): void;
}

/** Makes the set of pools; `close` ends its timer and idle connections. */
export function createPools(options: PoolOptions, tls: UpstreamTls): Pools {
  const pools = new Map<string, EndpointPool>();
  // Retired pools with exchanges under way are swept until those end, so that a silent gear cannot hold a client for ever.
  const leaving = new Set<EndpointPool>();
  const sessions = createSessionStore();
  const stopSweep = startSweep((now) => {
    for (const [id, pool] of pools) {
      pool.sweep(now);
      // Also what a late retry made anew after its endpoint was retired, which nobody would retire again.
      if (pool.load === 0 && pool.idle === 0) pools.delete(id);
    }
    for (const pool of leaving) {
      pool.sweep(now);
      if (pool.load === 0) leaving.delete(pool);
    }
  });
  const retire = (id: string): void => {
    sessions.forget(id);
    const pool = pools.get(id);
    if (pool === undefined) return;
    pools.delete(id);
    pool.retire();
    if (pool.load > 0) leaving.add(pool);
  };
  return {
    of(endpoint) {
      const known = pools.get(endpoint.id);
      if (known !== undefined) return known;
      const pool = new EndpointPool(endpoint, options, tls, sessions.of(endpoint));
      pools.set(endpoint.id, pool);
      return pool;
    },
    load: (id) => pools.get(id)?.load ?? 0,
    retire,
    size: () => pools.size,
    idle() {
      let sum = 0;
      for (const pool of pools.values()) sum += pool.idle;
      return sum;
    },
    close() {
      stopSweep();
      for (const id of [...pools.keys()]) retire(id);
    },
  };
}
