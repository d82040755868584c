/** A folder for nginx, host by host: who is served, by which members, with which certificate. Kept up to date file by file. */
import { basename } from 'node:path';
import { normalAddress, normalPort } from '../spi/names.ts';
import { type AliasServer, readAliasFile, readPoolFile } from './nginx-files.ts';

/** What nginx does with a host. */
export interface NginxHost {
  /** Each once; members that are marked down are not among them. */
  readonly members: readonly NginxMember[];
  /** Of its own certificate, as the configuration names it; null: the platform's. */
  readonly certFile: string | null;
}

export interface NginxMember {
  /** In normal form where it is a literal address, else as it stands there. */
  readonly address: string;
  /** 0: none, or none that can be. */
  readonly port: number;
}

export interface NginxHosts {
  /** Takes the text of a `.conf` file, or that it is gone (null). Gives back each host that may be served otherwise now. */
  setFile(file: string, text: string | null): ReadonlySet<string>;
  /** Hosts that get the certificate of the file with this name, wherever it is. */
  hostsOfCertificate(name: string): Iterable<string>;
  /** null: nginx does not know it, or does something else with it than to pass it on to a pool. */
  host(name: string): NginxHost | null;
  /** How many names nginx knows. */
  size(): number;
  /** Server names that are no single host (`*.example.com`, `~^www`): they are not compared. Some of them. */
  patterns(): readonly string[];
}

interface FileFacts {
  readonly pool: { readonly name: string; readonly members: readonly NginxMember[] } | null;
  readonly servers: readonly AliasServer[];
  readonly patterns: readonly string[];
}

const MAX_PATTERNS = 100;

export function createNginxHosts(): NginxHosts {
  const files = new Map<string, FileFacts>();
  const [naming, defining, using, presenting] = [createIndex(), createIndex(), createIndex(), createIndex()];
  const withPatterns = new Set<string>();

  const index = (file: string, { pool, servers, patterns }: FileFacts, verb: 'add' | 'remove'): void => {
    if (pool !== null) defining[verb](pool.name, file);
    for (const server of servers) {
      for (const host of server.names) naming[verb](host, file);
      if (server.pool !== null) using[verb](server.pool, file);
      if (server.certFile !== null) presenting[verb](basename(server.certFile), file);
    }
    if (patterns.length > 0) withPatterns[verb === 'add' ? 'add' : 'delete'](file);
  };
  const hostsIn = function* (several: Iterable<string>, which: (server: AliasServer) => boolean) {
    for (const file of several) {
      for (const server of files.get(file)?.servers ?? []) if (which(server)) yield* server.names;
    }
  };
  const touch = (touched: Set<string>, { pool, servers }: FileFacts): void => {
    for (const { names } of servers) for (const host of names) touched.add(host);
    if (pool === null) return;
    for (const host of hostsIn(using.of(pool.name), (server) => server.pool === pool.name)) touched.add(host);
  };

  return {
    setFile(file, text) {
      const touched = new Set<string>();
      const before = files.get(file);
      if (before !== undefined) {
        touch(touched, before);
        index(file, before, 'remove');
        files.delete(file);
      }
      const after = text === null ? null : factsOf(text);
      if (after === null) return touched;
      files.set(file, after);
      index(file, after, 'add');
      touch(touched, after);
      return touched;
    },
    hostsOfCertificate: (name) =>
      hostsIn(presenting.of(name), ({ certFile }) => certFile !== null && basename(certFile) === name),
    host(name) {
      // Of several servers with one name nginx keeps the one that it read first, and it reads in the order of the files' names.
      const file = first(naming.of(name));
      const servers = (file === null ? undefined : files.get(file))?.servers.filter(({ names }) =>
        names.includes(name),
      );
      const pool = servers?.find((server) => server.pool !== null)?.pool ?? null;
      if (servers === undefined || pool === null) return null;
      const poolFile = first(defining.of(pool));
      return {
        members: (poolFile === null ? undefined : files.get(poolFile))?.pool?.members ?? [],
        certFile: servers.find(({ certFile }) => certFile !== null)?.certFile ?? null,
      };
    },
    size: naming.size,
    patterns: () =>
      [...withPatterns].flatMap((file) => files.get(file)?.patterns ?? []).slice(0, MAX_PATTERNS),
  };
}

/** null for a file that says nothing of hosts or pools. */
function factsOf(text: string): FileFacts | null {
  const pool = readPoolFile(text);
  const patterns: string[] = [];
  const servers = readAliasFile(text).map((server) => {
    const names = server.names.map((name) => name.toLowerCase().replace(/\.$/, ''));
    // `_` and the like are nginx's words for none.
    if (server.pool !== null) patterns.push(...names.filter((name) => !isHost(name) && name !== '_'));
    return { ...server, names: names.filter(isHost) };
  });
  if (pool === null && servers.length === 0) return null;
  const members = new Map<string, NginxMember>();
  for (const { address, port, parameters } of pool?.members ?? []) {
    if (/\bdown\b/.test(parameters)) continue;
    const member = { address: normalAddress(address) ?? address, port: normalPort(port) ?? 0 };
    members.set(`${member.address} ${member.port}`, member);
  }
  return {
    pool: pool === null ? null : { name: pool.name, members: [...members.values()] },
    servers,
    patterns,
  };
}

function isHost(name: string): boolean {
  return /^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(name);
}

function first(names: Iterable<string>): string | null {
  let least: string | null = null;
  for (const name of names) if (least === null || name < least) least = name;
  return least;
}

interface Index {
  add(key: string, file: string): void;
  remove(key: string, file: string): void;
  of(key: string): Iterable<string>;
  size(): number;
}

/** Key -> files. Nearly always one, which needs no set of its own: there may be a million keys. */
function createIndex(): Index {
  const entries = new Map<string, string | Set<string>>();
  return {
    add(key, file) {
      const held = entries.get(key);
      if (held === undefined) entries.set(key, file);
      else if (typeof held !== 'string') held.add(file);
      else if (held !== file) entries.set(key, new Set([held, file]));
    },
    remove(key, file) {
      const held = entries.get(key);
      if (held === file || (held instanceof Set && held.delete(file) && held.size === 0)) entries.delete(key);
    },
    of(key) {
      const held = entries.get(key);
      return held === undefined ? [] : typeof held === 'string' ? [held] : held;
    },
    size: () => entries.size,
  };
}
