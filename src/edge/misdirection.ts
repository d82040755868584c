/** Requests for a host other than the one that their connection was made for (RFC 9110 section 15.5.20, RFC 9113 section 9.1.1). */

export interface MisdirectionRules {
  /** `tls.misdirected`. */
  readonly policy: 'refuse' | 'route';
  /** Whether both names are served with one certificate. */
  sameCertificate(one: string | null, other: string | null): boolean;
  /**
   * What a host demands of its clients' certificates, as a word to compare; '' for nothing. A connection that satisfied one demand never
   * carries a request for a host with another, whatever the policy: the host would believe in a check that nobody made.
   */
  clientDemandOf(host: string | null): string;
}

export interface Misdirection {
  /**
   * Whether a request for `host` must not be served on a connection whose handshake named `serverName`. A client that named none is not
   * misdirected by the policy: nothing disagrees, and it could never do better on a new connection.
   */
  isMisdirected(serverName: string | null, host: string): boolean;
  /** Names, certificates or demands have changed, or time has passed that they depend on: nothing found before holds. */
  forget(): void;
}

/** Clients choose hosts and names: what is remembered of them is bounded. */
const MAX_REMEMBERED = 1_024;

/** By rules that may change their mind. What was found is remembered: it takes six look-ups, and connections ask the same for request after request. */
export function misdirectionBy(rules: MisdirectionRules): Misdirection {
  const found = new Map<string, { readonly serverName: string | null; readonly misdirected: boolean }>();

  function judge(serverName: string | null, host: string): boolean {
    if (rules.clientDemandOf(serverName) !== rules.clientDemandOf(host)) return true;
    return rules.policy === 'refuse' && serverName !== null && !rules.sameCertificate(serverName, host);
  }

  return {
    isMisdirected(serverName, host) {
      if (serverName === host) return false;
      const former = found.get(host);
      if (former !== undefined && former.serverName === serverName) return former.misdirected;
      if (found.size >= MAX_REMEMBERED) found.clear();
      const misdirected = judge(serverName, host);
      found.set(host, { serverName, misdirected });
      return misdirected;
    },
    forget() {
      if (found.size > 0) found.clear();
    },
  };
}
