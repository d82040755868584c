/** What the table is told of its surroundings: plain data from the configuration and the listeners. */
export interface TablePolicy {
  readonly cloudDomain: string;
  readonly haPrefix: string;
  readonly haSuffix: string;
  readonly routableTypes: readonly string[];
  readonly allowLoopbackEndpoints: boolean;
  readonly addressMap: Readonly<Record<string, string>>;
  /** `address:port` of our own listeners, wildcard listeners expanded to every address of this machine. */
  readonly ownListeners: ReadonlySet<string>;
  readonly verifyEndpointTls: boolean;
  /** How long what is over still matters, milliseconds; 0: not at all. */
  readonly windows: {
    /** A certificate that was removed goes on being served, for the one that replaces it to come. */
    readonly certificateGraceMs: number;
    /** Within this after an add that replaced something, its remove is taken for one that was overtaken. */
    readonly swapMs: number;
    /** How long adds cannot bring back a deleted application, and of how many deletions that is remembered. */
    readonly tombstoneMs: number;
    readonly maxTombstones: number;
  };
  /** Above these nothing new is taken, and nothing is evicted for it. */
  readonly limits: { readonly maxApplications: number; readonly maxNames: number };
  /** Alias certificates that are not as they should be: served all the same, or the platform's in their place. */
  readonly certificates: {
    readonly expired: 'serve' | 'fallback';
    readonly notYetValid: 'serve' | 'fallback';
    readonly nameMismatch: 'serve' | 'fallback';
  };
  readonly nodeFrontend: {
    readonly aliases: boolean;
    readonly applications: Readonly<Record<string, boolean>>;
    readonly httpPort: number;
    readonly httpsPort: number;
    readonly verifyTls: boolean;
  };
}
