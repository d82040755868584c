/** TLS sessions with one endpoint, by server name: the next connection for the name resumes, which spares both sides most of a handshake. */

/** Host names that an application is reached by: its own, the ha- name and aliases. More than this many take turns. */
const MAX_NAMES = 32;

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
      if (byName.size <= MAX_NAMES) return;
      for (const oldest of byName.keys()) {
        byName.delete(oldest);
        break;
      }
    },
  };
}
