/** Host and `:authority` values (RFC 9110 7.2, RFC 3986 3.2): checked strictly, then brought to the normal form that routes have. */

/** Registered name or IPv4, an optional port. No user information, no percent-encoding: neither routes anywhere. */
const NAME_AND_PORT = /^([A-Za-z0-9._-]+)(?::([0-9]{0,5}))?$/;
const IPV6_AND_PORT = /^(\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?$/;
const MAX_NAME_LENGTH = 255;

/**
 * The normal form of a Host value: lower-case, no port, no trailing dot. `null` for a value that no client may send: user
 * information, blanks, a port above 65535, an empty label.
 */
export function normalHost(raw: string): string | null {
  const match = NAME_AND_PORT.exec(raw) ?? IPV6_AND_PORT.exec(raw);
  if (match === null) return null;
  const [, name = '', port = ''] = match;
  if (Number(port) > 65535 || name.length > MAX_NAME_LENGTH) return null;
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  if (bare === '' || bare.startsWith('.') || bare.includes('..')) return null;
  return bare.toLowerCase();
}
