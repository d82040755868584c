/** The folder that the routing daemon writes for nginx (NGINX_CONFDIR) as a picture, with the files of its certificates. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type AppKey, type AppRef, appKeyOf, type EndpointFacts } from '../spi/events.ts';
import { normalAddress, normalAlias, normalPort, UNKNOWN_GEAR } from '../spi/names.ts';
import { type PoolMember, readAliasFile, readPoolFile } from './nginx-files.ts';
import type { Picture, PictureApp, SourceProblem } from './picture.ts';
import { poolNames } from './pool-names.ts';

export interface NginxFolderOptions {
  readonly dir: string;
  /** POOL_NAME of the daemon. */
  readonly poolName: string;
  /** Type that members get: the daemon wrote only those of ENDPOINT_TYPES down. */
  readonly endpointType: string;
  /** Names that an application has anyway (plain and HA name) are no aliases. */
  readonly isImplied: (app: AppRef, host: string) => boolean;
}

/** Where the certificate of an alias is. */
export interface CertificateFiles {
  readonly app: AppRef;
  readonly alias: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface NginxPicture extends Picture {
  /** Their files; keys are read only when their turn comes. */
  readonly certificateFiles: readonly CertificateFiles[];
}

const MAX_FILE_BYTES = 1_048_576;

interface Building {
  readonly app: AppRef;
  readonly endpoints: Map<string, EndpointFacts>;
  readonly aliases: Set<string>;
}

/**
 * What nginx would serve from the folder: the files' contents count, not their names, so that what somebody edited by hand is seen
 * as it works. Whatever cannot be mapped is a problem with its reason, and the rest goes on. Rejects with the system's error when the
 * folder cannot be read.
 */
export async function readNginxFolder(options: NginxFolderOptions): Promise<NginxPicture> {
  const { dir, isImplied } = options;
  const problems: SourceProblem[] = [];
  const problem = (code: string, where: string, reason: string): void =>
    void problems.push({ code, where, reason });
  const apps = new Map<AppKey, Building>();
  const certificates = new Map<string, CertificateFiles>();
  const done = (): NginxPicture => ({
    source: `nginx:${dir}`,
    apps: new Map([...apps].map(([key, building]) => [key, finished(building)])),
    certificateFiles: [...certificates.values()],
    problems,
    knowsDetails: false,
    doubtsEmpty: false,
  });

  const files = (await readdir(dir)).sort();
  const present = new Set(files);
  const names = poolNames(options.poolName);
  if (!names.ok) {
    problem('SOURCES_POOL_NAME', dir, names.reason);
    return done();
  }
  const building = (app: AppRef): Building => {
    const key = appKeyOf(app);
    const known = apps.get(key) ?? { app, endpoints: new Map(), aliases: new Set() };
    apps.set(key, known);
    return known;
  };
  const owners = new Map<string, AppKey>();
  const used = new Set<string>();

  for (const file of files) {
    if (!file.endsWith('.conf') || file.startsWith('alias_') || file === 'server.conf') continue;
    const text = await readBounded(join(dir, file), problem);
    if (text === null) continue;
    const pool = readPoolFile(text);
    const name = pool?.name ?? file.slice(0, -'.conf'.length);
    const app = names.appOf(name);
    if (app === null) {
      problem('SOURCES_NOT_MAPPED', file, 'is no pool that POOL_NAME names: not of the routing daemon');
      continue;
    }
    const into = building(app);
    for (const member of pool?.members ?? []) addMember(member, file, into, options.endpointType, problem);
  }

  for (const file of files) {
    if (!file.endsWith('.conf') || !file.startsWith('alias_')) continue;
    const text = await readBounded(join(dir, file), problem);
    if (text === null) continue;
    const servers = readAliasFile(text);
    if (servers.length === 0) problem('SOURCES_NOT_MAPPED', file, 'holds no server');
    for (const { names: hosts, pool, certFile, keyFile } of servers) {
      const app = pool === null ? null : names.appOf(pool);
      if (app === null) {
        problem('SOURCES_NOT_MAPPED', file, 'a server of it leads to no pool that POOL_NAME names');
        continue;
      }
      for (const host of hosts) {
        const alias = normalAlias(host);
        if (alias === null) {
          problem(
            'SOURCES_NOT_MAPPED',
            file,
            `${JSON.stringify(host.slice(0, 64))} is no alias that can be served`,
          );
          continue;
        }
        const key = appKeyOf(app);
        const owner = owners.get(alias);
        if (owner !== undefined && owner !== key) {
          problem('SOURCES_ALIAS_TWICE', file, `${alias} is an alias of ${owner}, which nginx serves`);
          continue;
        }
        owners.set(alias, key);
        const implied = isImplied(app, alias);
        if (implied) building(app);
        else building(app).aliases.add(alias);
        const pair = certificateOf(host, certFile, keyFile, present, dir);
        if (pair === null) continue;
        used.add(basename(pair.certFile)).add(basename(pair.keyFile));
        if (implied)
          problem(
            'SOURCES_NOT_MAPPED',
            file,
            `${alias} has a certificate of its own: configure it in tls.certificates`,
          );
        else certificates.set(`${key} ${alias}`, { app, alias, ...pair });
      }
    }
  }

  for (const file of files) {
    if (!/\.(crt|key)$/.test(file) || used.has(file)) continue;
    problem('SOURCES_NOT_MAPPED', file, 'belongs to no alias of this folder: its application is not known');
  }
  return done();
}

function finished({ app, endpoints, aliases }: Building): PictureApp {
  return {
    app,
    scalable: null,
    ha: null,
    endpoints: [...endpoints.values()],
    aliases: [...aliases],
    certificates: [],
  };
}

function addMember(
  { address, port, parameters }: PoolMember,
  file: string,
  { endpoints }: Building,
  type: string,
  problem: (code: string, where: string, reason: string) => void,
): void {
  const [normal, number] = [normalAddress(address), normalPort(port)];
  const shown = JSON.stringify(`${address}:${port}`.slice(0, 80));
  if (normal === null || number === null) {
    problem('SOURCES_NOT_MAPPED', file, `member ${shown} is no literal address with a port`);
    return;
  }
  if (/\bdown\b/.test(parameters)) {
    problem('SOURCES_NOT_MAPPED', file, `member ${shown} is marked down by hand`);
    return;
  }
  if (parameters !== '')
    problem('SOURCES_PARAMETERS', file, `member ${shown}: its parameters are not carried over`);
  // The daemon writes a member as often as it was announced.
  endpoints.set(`${normal} ${number}`, {
    gearId: UNKNOWN_GEAR,
    cartridge: '',
    address: normal,
    port: number,
    protocols: ['http', 'ws'],
    types: [type],
    mappings: [],
  });
}

/**
 * The pair that the server names, or, where it names none, the files of the alias that wait for it: the daemon writes those before the
 * alias is there and then forgets them (domain.md 2.2). Paths lead into this folder, wherever it was copied from; what is not in it is
 * read where nginx would.
 */
function certificateOf(
  host: string,
  certFile: string | null,
  keyFile: string | null,
  present: ReadonlySet<string>,
  dir: string,
): { readonly certFile: string; readonly keyFile: string } | null {
  const here = (file: string): string => (present.has(basename(file)) ? join(dir, basename(file)) : file);
  if (certFile !== null && keyFile !== null) return { certFile: here(certFile), keyFile: here(keyFile) };
  const [cert, key] = [`${host}.crt`, `${host}.key`];
  return present.has(cert) && present.has(key)
    ? { certFile: join(dir, cert), keyFile: join(dir, key) }
    : null;
}

/** Text of a file, or null after the problem was said. */
export async function readBounded(
  file: string,
  problem: (code: string, where: string, reason: string) => void,
): Promise<string | null> {
  try {
    const facts = await stat(file);
    if (!facts.isFile()) problem('SOURCES_UNREADABLE', file, 'is no file');
    else if (facts.size > MAX_FILE_BYTES)
      problem('SOURCES_UNREADABLE', file, `has more than ${MAX_FILE_BYTES} bytes`);
    else return await readFile(file, 'latin1');
  } catch (error) {
    problem(
      'SOURCES_UNREADABLE',
      file,
      `cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`,
    );
  }
  return null;
}
