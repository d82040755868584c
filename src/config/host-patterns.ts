/** Names and one-label wildcards -> what is configured for them. Two look-ups whatever there is. */

/** What belongs to a host in normal form: by its own name, else by `*.` and the rest of it behind the first label; null: nothing. */
export type HostPatterns<Value> = (host: string) => Value | null;

/** `entries`: lower-case patterns. Of two for one pattern the first is taken. */
export function createHostPatterns<Value>(
  entries: Iterable<readonly [pattern: string, value: Value]>,
): HostPatterns<Value> {
  const byPattern = new Map<string, Value>();
  for (const [pattern, value] of entries) if (!byPattern.has(pattern)) byPattern.set(pattern, value);
  if (byPattern.size === 0) return () => null;
  return (host) => {
    const exact = byPattern.get(host);
    if (exact !== undefined) return exact;
    const dot = host.indexOf('.');
    return dot < 1 ? null : (byPattern.get(`*${host.slice(dot)}`) ?? null);
  };
}
