/** Holds the import table of the house (README, "Architecture"): who may know whom, and which room owns which package. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** Room -> rooms it may import. `types` may be imported with `import type` only. */
interface Allowance {
  readonly rooms: readonly string[];
  readonly types?: readonly string[];
  readonly why: string;
}

const everyone = 'config and telemetry are the floor that every shell stands on';
const allowances: Readonly<Record<string, Allowance>> = {
  config: { rooms: [], why: 'configuration is read before anything else exists' },
  telemetry: { rooms: [], why: 'everything logs, so the log may know nobody' },
  spi: { rooms: [], why: 'pure: bodies to events' },
  pem: { rooms: [], why: 'pure: certificates judged' },
  http: { rooms: [], why: 'pure: bytes to heads and back' },
  seal: { rooms: [], why: 'pure: what is encrypted at rest, and its keys' },
  table: { rooms: ['spi'], why: 'pure: state x event -> state' },
  store: { rooms: ['spi', 'table', 'seal', 'telemetry', 'config'], why: everyone },
  resolver: { rooms: ['telemetry', 'config'], why: everyone },
  stomp: { rooms: ['resolver', 'telemetry', 'config'], why: 'transport only: it knows bodies, not events' },
  sources: { rooms: ['spi', 'table', 'resolver', 'telemetry', 'config'], why: everyone },
  probes: {
    rooms: ['table', 'resolver', 'telemetry', 'config'],
    types: ['spi'],
    why: 'control plane: it may know what to visit, not how requests are forwarded',
  },
  stapling: {
    rooms: ['pem', 'resolver', 'telemetry', 'config'],
    why: 'control plane: it has the network; the data plane only staples',
  },
  control: {
    rooms: ['stomp', 'sources', 'spi', 'pem', 'table', 'store', 'resolver', 'probes', 'telemetry', 'config'],
    why: 'control never imports the data plane; plain data crosses in app.ts',
  },
  shadow: {
    rooms: ['control', 'sources', 'spi', 'table', 'telemetry', 'config'],
    why: 'stands beside control and compares what it would publish; serves nothing',
  },
  router: { rooms: ['table'], types: ['spi'], why: 'a lookup over the published table' },
  balancer: { rooms: ['table'], types: ['upstream', 'spi'], why: 'picks; dialling is upstream' },
  upstream: {
    rooms: ['http', 'table', 'telemetry', 'config'],
    types: ['spi'],
    why: 'one exchange; it knows no routes and no clients',
  },
  certificates: {
    rooms: ['pem', 'table', 'telemetry', 'config'],
    types: ['spi', 'seal'],
    why: 'data plane: control decides what is true',
  },
  'engine-http-proxy': {
    rooms: ['http', 'balancer', 'upstream', 'table', 'telemetry', 'config'],
    types: ['spi'],
    why: 'the second engine stands beside the first, behind edge',
  },
  edge: {
    rooms: [
      'certificates',
      'router',
      'balancer',
      'upstream',
      'engine-http-proxy',
      'http',
      'table',
      'telemetry',
      'config',
    ],
    types: ['spi'],
    why: 'the data plane never imports control',
  },
  plane: {
    rooms: ['edge', 'certificates', 'router', 'balancer', 'upstream', 'table', 'telemetry', 'config'],
    types: ['spi', 'engine-http-proxy'],
    why: 'the data plane never imports control',
  },
  admin: {
    rooms: ['control', 'table', 'telemetry', 'config'],
    types: ['spi', 'store', 'probes'],
    why: 'asks the data plane through plain-data queries handed in by app.ts',
  },
  sample: {
    rooms: ['pem', 'stomp', 'config', 'telemetry', 'spi'],
    why: 'it stands outside and publishes like any broker',
  },
  cli: {
    rooms: [
      'app.ts',
      'start-app.ts',
      'check-start.ts',
      'config',
      'telemetry',
      'spi',
      'stomp',
      'sources',
      'sample',
      'pem',
      'table',
      'store',
      'control',
    ],
    types: ['admin', 'probes', 'shadow'],
    why: 'a command builds the app or shows something; it serves nothing itself',
  },
  'start-app.ts': {
    rooms: ['app.ts', 'start-sample.ts', 'config', 'store', 'young-generation.ts'],
    why: 'a configured Headgear, whose store is read while it is loaded, or the sample',
  },
  'young-generation.ts': { rooms: [], why: 'a setting of V8, which nothing else needs to know' },
  'start-sample.ts': {
    rooms: ['app.ts', 'config', 'sample', 'stomp'],
    why: 'one with the sample beside it',
  },
  'check-start.ts': {
    rooms: ['certificates', 'upstream', 'store', 'config'],
    why: 'what app.ts refuses to start with, for headgear check as well',
  },
  'main.ts': { rooms: ['cli', 'app.ts', 'config', 'telemetry'], why: 'main is tiny' },
};

/** Package -> files and folders that may import it. */
const owners: Readonly<Record<string, readonly string[]>> = {
  'http-proxy': ['engine-http-proxy/'],
  immutable: ['table/'],
  'ipaddr.js': ['table/', 'http/'],
  'js-yaml': ['spi/document.ts', 'config/read-document.ts'],
  lmdb: ['store/'],
  'lru-cache': ['certificates/'],
  'node-forge': ['pem/'],
  pino: ['telemetry/log.ts'],
  'prom-client': ['telemetry/metrics.ts'],
  'sonic-boom': ['telemetry/file-sink.ts'],
  stompit: ['stomp/'],
  zod: ['config/'],
};

/** What a pure room must not reach for: the world outside, and (table, spi) the clock and the dice. */
const pureRooms = ['spi', 'table', 'pem', 'seal', 'http'];
const worldly = new Set(
  [
    'fs',
    'fs/promises',
    'http',
    'https',
    'http2',
    'dns',
    'dns/promises',
    'dgram',
    'child_process',
    'cluster',
  ].concat(['worker_threads', 'timers', 'timers/promises', 'process']),
);
const timeless = ['spi', 'table'];

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

/** By a plain scan, without a compiler: the formatter keeps `import` and `export ... from` at the start of a line. */
function importsOf(source: string): Import[] {
  const found: Import[] = [];
  for (const [, typeOnly, names = '', from] of source.matchAll(
    /^(?:import|export)\s+(type\s)?([^;'"]*?\sfrom\s+)?['"]([^'"]+)['"]/gm,
  )) {
    const members = /\{([^}]*)\}/
      .exec(names)?.[1]
      ?.split(',')
      .map((name) => name.trim()) ?? [''];
    const eachIsType = members.filter((name) => name !== '').every((name) => name.startsWith('type '));
    const onlyMembers = /^\s*\{/.test(names) && members.some((name) => name !== '');
    if (from) found.push({ from, typeOnly: typeOnly !== undefined || (onlyMembers && eachIsType) });
  }
  for (const [, from] of source.matchAll(/\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*[,)]/g))
    if (from) found.push({ from, typeOnly: false });
  return found;
}

/** The room of a path under src: its folder, or the file itself at the top. */
function roomOf(path: string): string {
  return path.split('/')[0] ?? path;
}

/** Everything wrong with these sources (path under src -> text), as sentences. */
function violations(sources: ReadonlyMap<string, string>): string[] {
  return [
    ...[...sources].flatMap(([path, text]) => importViolations(path, text, sources)),
    ...[...sources].flatMap(([path, text]) => habitViolations(path, text)),
    ...cycles(sources),
  ];
}

function importViolations(path: string, text: string, sources: ReadonlyMap<string, string>): string[] {
  const room = roomOf(path);
  const allowance = allowances[room];
  if (!allowance && room !== 'app.ts')
    return [`${path}: '${room}' is not a room; add it to the table, with its reason`];
  return importsOf(text).flatMap(({ from, typeOnly }) => {
    if (from.startsWith('node:')) {
      return pureRooms.includes(room) && worldly.has(from.slice(5)) && !typeOnly
        ? [`${path} imports ${from}: '${room}' is pure`]
        : [];
    }
    if (!from.startsWith('.')) {
      const name = from.startsWith('@')
        ? from.split('/').slice(0, 2).join('/')
        : (from.split('/')[0] ?? from);
      const owned = owners[name];
      if (!owned) return [`${path} imports ${name}, which has no owner: name one in the table`];
      const isOwner = owned.some((owner) => (owner.endsWith('/') ? path.startsWith(owner) : path === owner));
      return isOwner ? [] : [`${path} imports ${name}, which belongs to ${owned.join(' and ')} alone`];
    }
    const target = posix.join(posix.dirname(path), from);
    if (!sources.has(target)) return [`${path} imports ${from}, which does not exist`];
    const other = roomOf(target);
    if (!allowance || other === room || allowance.rooms.includes(other)) return [];
    if (allowance.types?.includes(other))
      return typeOnly ? [] : [`${path} imports ${target}: '${room}' may import only types of '${other}'`];
    return [`${path} imports ${target}: '${room}' may not import '${other}' (${allowance.why})`];
  });
}

function habitViolations(path: string, text: string): string[] {
  const found: string[] = [];
  const lines = text.split('\n').length - 1;
  if (lines > 400) found.push(`${path} has ${lines} lines; above 400 is where a file hurts`);
  if (/^export default\b/m.test(text)) found.push(`${path} has a default export`);
  if (/^export \*/m.test(text) || basename(path) === 'index.ts') found.push(`${path} is a barrel`);
  if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.d)?\.ts$/.test(basename(path))) found.push(`${path} is not in kebab-case`);
  if (
    timeless.includes(roomOf(path)) &&
    /\b(Date\.now|new Date\(\)|Math\.random|performance\.now)\b/.test(text)
  )
    found.push(`${path} reads the clock or rolls dice: time reaches '${roomOf(path)}' only inside events`);
  return found;
}

/** Each cycle of imports once, types included: a file one cannot read without another that needs it is one file. */
function cycles(sources: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const walk = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      found.push(`cycle of imports: ${[...trail.slice(at), path].join(' -> ')}`);
      return;
    }
    if (done.has(path)) return;
    for (const { from } of importsOf(sources.get(path) ?? ''))
      if (from.startsWith('.')) walk(posix.join(posix.dirname(path), from), [...trail, path]);
    done.add(path);
  };
  for (const path of sources.keys()) walk(path, []);
  return found;
}

function repositoryRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    assert.notEqual(parent, folder, 'no package.json above this test');
    folder = parent;
  }
  return folder;
}

function read(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.endsWith('.ts'))
    .sort();
  return new Map(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

const root = repositoryRoot();

test('every import keeps to the table of rooms and owners, and every file to the habits', () => {
  const sources = read(join(root, 'src'));
  assert.ok(sources.size > 0);
  assert.deepEqual(violations(sources), []);
});

test('every package that the product depends on has an owner', () => {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  assert.deepEqual(Object.keys(dependencies).sort(), Object.keys(owners).sort());
});

test('no file names a folder of one machine', () => {
  const ofOneMachine = new RegExp(`(^|[^\\w.-])/(${['work', 'home', 'root', 'Users'].join('|')})/\\w`, 'm');
  for (const folder of ['src', 'test', 'bench']) {
    if (!existsSync(join(root, folder))) continue;
    for (const [path, text] of read(join(root, folder)))
      assert.doesNotMatch(text, ofOneMachine, `${folder}/${path}`);
  }
});

test('the scan sees what is forbidden', () => {
  const found = (files: Record<string, string>) => violations(new Map(Object.entries(files)));
  const edge = { 'edge/a.ts': 'export const a = 1;\n' };
  assert.match(
    found({ ...edge, 'control/b.ts': "import {\n  a,\n} from '../edge/a.ts';\n" })[0] ?? '',
    /'control' may not import 'edge' \(control never imports the data plane/,
  );
  assert.match(found({ ...edge, 'control/b.ts': "await import('../edge/a.ts');\n" })[0] ?? '', /may not/);
  assert.match(found({ ...edge, 'control/b.ts': "export { a } from '../edge/a.ts';\n" })[0] ?? '', /may not/);
  const upstream = { 'upstream/u.ts': 'export interface U {}\n' };
  assert.deepEqual(
    found({ ...upstream, 'balancer/b.ts': "import type { U } from '../upstream/u.ts';\n" }),
    [],
  );
  assert.deepEqual(
    found({ ...upstream, 'balancer/b.ts': "import { type U } from '../upstream/u.ts';\n" }),
    [],
  );
  assert.match(
    found({ ...upstream, 'balancer/b.ts': "import { u, type U } from '../upstream/u.ts';\n" })[0] ?? '',
    /only types/,
  );
  assert.match(found({ 'edge/x.ts': "import lmdb from 'lmdb';\n" })[0] ?? '', /belongs to store/);
  assert.match(found({ 'edge/x.ts': "require('lmdb');\n" })[0] ?? '', /belongs to store/);
  assert.match(found({ 'edge/x.ts': "import leftpad from 'leftpad';\n" })[0] ?? '', /no owner/);
  assert.match(found({ 'table/x.ts': "import { readFileSync } from 'node:fs';\n" })[0] ?? '', /pure/);
  assert.match(found({ 'table/x.ts': 'const now = Date.now();\n' })[0] ?? '', /clock/);
  assert.match(found({ 'cellar/x.ts': '' })[0] ?? '', /not a room/);
  assert.match(found({ 'edge/x.ts': 'export default 1;\n' })[0] ?? '', /default export/);
  assert.match(found({ 'edge/x.ts': '\n'.repeat(401) })[0] ?? '', /401 lines/);
  assert.match(
    found({ 'edge/a.ts': "import './b.ts';\n", 'edge/b.ts': "import type { A } from './a.ts';\n" })[0] ?? '',
    /cycle of imports: edge\/a.ts -> edge\/b.ts -> edge\/a.ts/,
  );
});
