/**
 * What each endpoint is busy with. Node's agents count sockets by name and say neither how many requests are under way nor which
 * sockets are tunnels by now; the balancer, the limit of requests in flight and the removal of an endpoint have to know.
 */

export interface EndpointLoads {
  /** Requests and tunnels under way. */
  load(endpointId: string): number;
  /** One more of them: returns what to call, once or more often, when it is over; null where the endpoint has as many as it may. */
  hold(endpointId: string): (() => void) | null;
  /** A tunnel that has to end, by `destroy`, some time after its endpoint is gone. Returns what to call when it ends by itself. */
  addTunnel(endpointId: string, destroy: () => void): () => void;
  /** The endpoint is gone from the table. */
  retire(endpointId: string): void;
}

export interface LoadLimits {
  /** 0: no limit. */
  readonly maxInFlightPerEndpoint: number;
  /** How long a tunnel may go on after its endpoint is gone. */
  readonly tunnelDrainMs: number;
}

/** Nothing is kept of an endpoint that has neither requests nor tunnels. */
export function createEndpointLoads({ maxInFlightPerEndpoint, tunnelDrainMs }: LoadLimits): EndpointLoads {
  const counts = new Map<string, number>();
  const tunnels = new Map<string, Set<() => void>>();

  const load = (id: string): number => counts.get(id) ?? 0;
  return {
    load,
    hold(id) {
      if (maxInFlightPerEndpoint > 0 && load(id) >= maxInFlightPerEndpoint) return null;
      counts.set(id, load(id) + 1);
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        const rest = load(id) - 1;
        if (rest > 0) counts.set(id, rest);
        else counts.delete(id);
      };
    },
    addTunnel(id, destroy) {
      const open = tunnels.get(id) ?? new Set();
      tunnels.set(id, open.add(destroy));
      return () => {
        open.delete(destroy);
        // An endpoint that came back has a set of its own by then.
        if (open.size === 0 && tunnels.get(id) === open) tunnels.delete(id);
      };
    },
    retire(id) {
      const open = tunnels.get(id);
      if (open === undefined) return;
      tunnels.delete(id);
      setTimeout(() => {
        for (const destroy of [...open]) destroy();
      }, tunnelDrainMs).unref();
    },
  };
}
