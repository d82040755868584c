/** OCSP responses of the certificates in use, as the control plane hands them over. */
import { LRUCache } from 'lru-cache';

export interface Staple {
  readonly response: Uint8Array;
  /** Epoch milliseconds; not to be stapled from then on. */
  readonly until: number;
}

export interface Staples {
  set(id: string, staple: Staple | null): void;
  /** Null where there is none, or none that is still good. */
  get(id: string): Buffer | null;
}

/** At most `max` of them; `now` in epoch milliseconds. */
export function createStaples(max: number, now: () => number): Staples {
  const byId = new LRUCache<string, { readonly response: Buffer; readonly until: number }>({ max });
  return {
    set(id, staple) {
      if (staple === null) byId.delete(id);
      else byId.set(id, { response: Buffer.from(staple.response), until: staple.until });
    },
    get(id) {
      // Without any, as where nobody's certificate names a responder, handshakes do not look.
      const held = byId.size === 0 ? undefined : byId.get(id);
      if (held === undefined) return null;
      if (held.until > now()) return held.response;
      byId.delete(id);
      return null;
    },
  };
}
