/** What the two kinds of files that the routing daemon writes for nginx say (domain.md 2.2). Pure. */

export interface PoolMember {
  /** As it stands there, a port behind the last colon. */
  readonly address: string;
  readonly port: string;
  /** What follows the address: `weight=2`. */
  readonly parameters: string;
}

/** The upstream that a pool file defines; null where it defines none (the daemon leaves the file of a new pool empty). */
export function readPoolFile(
  text: string,
): { readonly name: string; readonly members: readonly PoolMember[] } | null {
  const plain = withoutComments(text);
  const name = /(?:^|[\s;}])upstream\s+([^\s{;]+)\s*\{/.exec(plain)?.[1];
  if (name === undefined) return null;
  const members = [...plain.matchAll(/(?:^|[\s;{])server\s+([^\s;{]+)([^;{]*);/g)].map(
    ([, target = '', more = '']) => {
      const at = target.lastIndexOf(':');
      const address = (at < 0 ? target : target.slice(0, at)).replace(/^\[(.*)\]$/, '$1');
      return { address, port: at < 0 ? '' : target.slice(at + 1), parameters: more.trim() };
    },
  );
  return { name, members };
}

export interface AliasServer {
  readonly names: readonly string[];
  /** Name of the upstream, or null where the server does something else. */
  readonly pool: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
}

/** The servers of an alias file: one for HTTP, one for HTTPS. */
export function readAliasFile(text: string): readonly AliasServer[] {
  return withoutComments(text)
    .split(/(?:^|[\s;}])server\s*\{/)
    .slice(1)
    .map((body) => ({
      names: (directive(body, 'server_name') ?? '').split(/\s+/).filter((name) => name !== ''),
      pool: /^https?:\/\/([^/\s]+)/.exec(directive(body, 'proxy_pass') ?? '')?.[1] ?? null,
      certFile: directive(body, 'ssl_certificate'),
      keyFile: directive(body, 'ssl_certificate_key'),
    }));
}

function directive(body: string, name: string): string | null {
  const value = new RegExp(`(?:^|[\\s;{])${name}\\s+([^;{}]+);`).exec(body)?.[1]?.trim();
  return value === undefined ? null : value.replace(/^(["'])(.*)\1$/, '$2');
}

function withoutComments(text: string): string {
  return text.replace(/(^|\s)#[^\n]*/g, '$1');
}
