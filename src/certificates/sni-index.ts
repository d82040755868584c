/**
 * Host name to certificates: those of the exact name, then of the wildcard one label up, then the defaults. Aliases' certificates come and go
 * with the table; the platform's only with its files. Of two that fit equally, the alias's is taken: it was uploaded for just that name, and whether
 * a tenant may hold the name at all is the table's decision, not this index's.
 */

export type CertificateSource = 'alias' | 'platform' | 'default';

/** `pattern`: the name it is filed under, `*.apps.example.com` for a wildcard, '' for the default. */
export interface Match<Entry> {
  readonly entry: Entry;
  readonly source: CertificateSource;
  readonly pattern: string;
}

export interface SniIndex<Entry> {
  /** Puts other entries of the platform in the place of all former ones; as for `createSniIndex`. */
  setPlatform(platform: PlatformEntries<Entry>, defaults: readonly Entry[]): void;
  /** Files an alias's entry under a host name or wildcard; null takes it away. Returns what was there before. */
  set(host: string, entry: Entry | null): Entry | null;
  /**
   * Offers every entry that could serve the name, best first, until one is accepted, and returns what `accept` made of it; null where none
   * was. A `serverName` of null is a client that named none. (A callback, since a generator costs more than the lookups.)
   */
  find<Accepted>(
    serverName: string | null,
    accept: (match: Match<Entry>) => Accepted | null,
  ): Accepted | null;
  /** Alias entries by name. */
  aliases(): Iterable<readonly [string, Entry]>;
  /** Number of alias entries. */
  readonly size: number;
}

export type PlatformEntries<Entry> = readonly (readonly [string, Entry])[];

/** `platform` holds (name, entry), the preferred one of a name first; `defaults` are for everything else, the preferred one first. */
export function createSniIndex<Entry>(
  platform: PlatformEntries<Entry>,
  defaults: readonly Entry[],
): SniIndex<Entry> {
  const aliases = new Map<string, Entry>();
  let fixed = filed(platform);
  let fallbacks = defaults;

  function find<Accepted>(
    serverName: string | null,
    accept: (match: Match<Entry>) => Accepted | null,
  ): Accepted | null {
    let accepted: Accepted | null = null;
    if (serverName !== null) {
      const name = normalise(serverName);
      const dot = name.indexOf('.');
      accepted = findUnder(name, accept);
      if (accepted === null && dot > 0 && name[0] !== '*')
        accepted = findUnder(`*${name.slice(dot)}`, accept);
    }
    return accepted ?? firstAccepted(fallbacks, 'default', '', accept);
  }

  function findUnder<Accepted>(
    pattern: string,
    accept: (match: Match<Entry>) => Accepted | null,
  ): Accepted | null {
    const alias = aliases.get(pattern);
    const accepted = alias === undefined ? null : accept({ entry: alias, source: 'alias', pattern });
    if (accepted !== null) return accepted;
    const entries = fixed.get(pattern);
    return entries === undefined ? null : firstAccepted(entries, 'platform', pattern, accept);
  }

  return {
    setPlatform(entries, fallback) {
      fixed = filed(entries);
      fallbacks = fallback;
    },
    set(host, entry) {
      const name = normalise(host);
      const former = aliases.get(name) ?? null;
      if (entry === null) aliases.delete(name);
      else aliases.set(name, entry);
      return former;
    },
    find,
    aliases: () => aliases.entries(),
    get size() {
      return aliases.size;
    },
  };
}

function filed<Entry>(platform: PlatformEntries<Entry>): ReadonlyMap<string, readonly Entry[]> {
  const byName = new Map<string, Entry[]>();
  for (const [name, entry] of platform) {
    const key = normalise(name);
    const entries = byName.get(key);
    if (entries === undefined) byName.set(key, [entry]);
    else entries.push(entry);
  }
  return byName;
}

function firstAccepted<Entry, Accepted>(
  entries: readonly Entry[],
  source: CertificateSource,
  pattern: string,
  accept: (match: Match<Entry>) => Accepted | null,
): Accepted | null {
  for (const entry of entries) {
    const accepted = accept({ entry, source, pattern });
    if (accepted !== null) return accepted;
  }
  return null;
}

/** Lower case, without the trailing dot of a rooted name. */
export function normalise(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}
