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

/**
 * Whether a request for `host` must not be served on a connection whose handshake named `serverName`. A client that named none is not
 * misdirected by the policy: nothing disagrees, and it could never do better on a new connection.
 */
export function misdirectionBy(
  rules: MisdirectionRules,
): (serverName: string | null, host: string) => boolean {
  return (serverName, host) => {
    if (serverName === host) return false;
    if (rules.clientDemandOf(serverName) !== rules.clientDemandOf(host)) return true;
    return rules.policy === 'refuse' && serverName !== null && !rules.sameCertificate(serverName, host);
  };
}
