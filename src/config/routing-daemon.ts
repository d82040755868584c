/** An existing `routing-daemon.conf` -> our configuration (domain.md 11). Pure: files are read by who calls. */
import { routingDaemonBus } from './routing-daemon-bus.ts';
import { readRoutingDaemonFile } from './routing-daemon-file.ts';
import { noteHealthKey } from './routing-daemon-health.ts';
import type { KeyNote, Note } from './routing-daemon-note.ts';

export interface TakenOver {
  /** As a configuration file would hold it, to be judged by `validateConfig`. */
  readonly raw: Readonly<Record<string, unknown>>;
  readonly notes: readonly KeyNote[];
  /** NGINX_CONFDIR, or null. */
  readonly nginxFolder: string | null;
  /** POOL_NAME: `%a` is the application, `%n` the namespace. */
  readonly poolName: string;
}

export interface TakeOverOptions {
  /** Makes the client id of a durable subscription this machine's own. */
  readonly machine: string;
  readonly stateDir: string;
}

type Value = (key: string) => string | undefined;

export const DEFAULT_POOL_NAME = 'pool_ose_%a_%n_80';
const LEVELS: Readonly<Record<string, string>> = {
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  error: 'error',
  fatal: 'error',
};

/** Keys that have nothing to be carried over to, with the reason. */
const OBSOLETE: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^LOAD_BALANCER$/, 'Headgear is the load balancer'],
  [/^UPDATE_INTERVAL$/, 'changes take effect at once, without reloads'],
  [/^NGINX_SERVICE$/, 'there is no other service to reload'],
  [/^ROUTE_NAME$/, 'the daemon did not use it with nginx either'],
  [/^VIRTUAL(_HTTPS)?_SERVER$/, 'names of a BIG-IP'],
  [/^BIGIP_/, 'access to a BIG-IP; its pools cannot be imported from here'],
  [/^LBAAS_/, 'access to an LBaaS; its pools cannot be imported from here'],
];

/** Never rejects: every key gets its note, and what is missing the daemon's own default or a note that says what to do. */
export function takeOverRoutingDaemon(text: string, options: TakeOverOptions): TakenOver {
  const { values, problems } = readRoutingDaemonFile(text);
  const notes: KeyNote[] = problems.map(({ path, message }) => ({ key: path, kind: 'look', message }));
  const said = new Set<string>();
  const note: Note = (key, kind, message) => {
    said.add(key);
    notes.push({ key, kind, message });
  };
  const value: Value = (key) => values.get(key);

  const nginxFolder = value('NGINX_CONFDIR') ?? null;
  const raw = {
    cloudDomain: cloudDomain(value, note),
    ...names(value, note),
    ...serving(value, note),
    bus: routingDaemonBus(values, options.machine, note),
    stateDir: options.stateDir,
    ...endpoints(value, note),
    ...logging(value, note),
    ...(nginxFolder === null ? {} : { shadow: { nginxConfDir: nginxFolder } }),
  };
  if (nginxFolder !== null)
    note(
      'NGINX_CONFDIR',
      'taken',
      `${nginxFolder}: its pools, aliases and certificates; shadow.nginxConfDir, for headgear run --shadow`,
    );
  const poolName = value('POOL_NAME') ?? DEFAULT_POOL_NAME;
  if (value('POOL_NAME') !== undefined) note('POOL_NAME', 'taken', 'to read the names of NGINX_CONFDIR by');
  for (const key of values.keys()) if (!said.has(key)) rest(key, value, note);
  return { raw, notes, nginxFolder, poolName };
}

function cloudDomain(value: Value, note: Note): string {
  const given = value('CLOUD_DOMAIN');
  if (given !== undefined) {
    note('CLOUD_DOMAIN', 'taken', 'cloudDomain');
    return given.toLowerCase();
  }
  note(
    'CLOUD_DOMAIN',
    'look',
    'is not given: the daemon takes example.com then, and so does this; set cloudDomain',
  );
  return 'example.com';
}

function names(value: Value, note: Note): object {
  const [prefix, suffix] = [value('HA_DNS_PREFIX'), value('HA_DNS_SUFFIX')];
  if (prefix !== undefined) note('HA_DNS_PREFIX', 'taken', 'names.haPrefix');
  if (suffix !== undefined) note('HA_DNS_SUFFIX', 'taken', 'names.haSuffix');
  if (prefix === undefined && suffix === undefined) return {};
  return {
    names: {
      ...(prefix === undefined ? {} : { haPrefix: prefix }),
      ...(suffix === undefined ? {} : { haSuffix: suffix }),
    },
  };
}

/** Listeners and the platform's certificate. HTTPS needs one, so without it there is no HTTPS listener, and that is said. */
function serving(value: Value, note: Note): object {
  const port = (key: string, otherwise: number, to: string): number => {
    const text = value(key);
    if (text === undefined) return otherwise;
    const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
    const fits = number > 0 && number < 65_536;
    note(key, fits ? 'taken' : 'look', fits ? to : `is no port: ${otherwise} is taken`);
    return fits ? number : otherwise;
  };
  const http = [{ port: port('HTTP_PORT', 80, 'listeners.http') }];
  const https = port('SSL_PORT', 443, 'listeners.https');
  const [certFile, keyFile] = [value('NGINX_SSL_CERTIFICATE'), value('NGINX_SSL_KEY')];
  if (certFile === undefined || keyFile === undefined) {
    const message =
      'both are needed for a listener with HTTPS: none is made; set tls.certificates and listeners.https';
    note('NGINX_SSL_CERTIFICATE', 'look', message);
    if (keyFile !== undefined) note('NGINX_SSL_KEY', 'look', message);
    return { listeners: { http } };
  }
  note('NGINX_SSL_CERTIFICATE', 'taken', 'tls.certificates[0].certFile');
  note('NGINX_SSL_KEY', 'taken', 'tls.certificates[0].keyFile');
  return { listeners: { http, https: [{ port: https }] }, tls: { certificates: [{ certFile, keyFile }] } };
}

function endpoints(value: Value, note: Note): object {
  const types = (value('ENDPOINT_TYPES') ?? '')
    .split(',')
    .map((type) => type.trim())
    .filter((type) => type !== '');
  if (types.length === 0) return {};
  note('ENDPOINT_TYPES', 'taken', 'endpoints.types');
  return { endpoints: { types } };
}

function logging(value: Value, note: Note): object {
  const [file, level] = [value('LOGFILE'), value('LOGLEVEL')];
  const log: Record<string, string> = {};
  if (file !== undefined) {
    log.file = file;
    note('LOGFILE', 'taken', 'log.file; as long as the daemon runs beside Headgear, give it another file');
  }
  if (level !== undefined) {
    const ours = Object.hasOwn(LEVELS, level) ? LEVELS[level] : undefined;
    if (ours !== undefined) log.level = ours;
    note(
      'LOGLEVEL',
      ours === undefined ? 'look' : 'taken',
      ours === undefined ? 'is no level: info' : 'log.level',
    );
  }
  return Object.keys(log).length === 0 ? {} : { log };
}

function rest(key: string, value: Value, note: Note): void {
  const reason = OBSOLETE.find(([pattern]) => pattern.test(key))?.[1];
  if (reason !== undefined) note(key, 'obsolete', reason);
  else if (!noteHealthKey(key, value('NGINX_PLUS') === 'true', note))
    note(key, 'unknown', 'is no key of the routing daemon that is known here: not carried over');
}
