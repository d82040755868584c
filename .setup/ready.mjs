// Makes a fresh clone ready to run: installs the locked packages and builds, each only when its input changed.
// Plain JavaScript because it runs before there is a compiler; called by every npm script.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const installStamp = join(root, 'node_modules', '.headgear-installed');
const buildStamp = join(root, 'dist', '.headgear-built');

const major = Number(process.versions.node.split('.')[0]);
if (major < 20)
  fail(`Headgear needs Node 20 or newer; this is ${process.version}. Install a newer Node and try again.`);

const installed = digest(readFileSync(join(root, 'package-lock.json')));
if (read(installStamp) !== installed) {
  console.error('headgear: installing packages (first run, or the lockfile changed) ...');
  run(process.platform === 'win32' ? 'npm.cmd' : 'npm', [
    'ci',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]);
  writeFileSync(installStamp, installed);
}

const built = digest(
  ['src', 'test', 'bench'].flatMap(list).concat(fact('tsconfig.json'), installed).join('\n'),
);
if (read(buildStamp) !== built) {
  console.error('headgear: building ...');
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  run(process.execPath, [
    join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
    '-p',
    join(root, 'tsconfig.json'),
  ]);
  mkdirSync(dirname(buildStamp), { recursive: true });
  writeFileSync(buildStamp, built);
}

function run(command, args) {
  const done = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (done.status !== 0)
    fail(`'${command} ${args.slice(0, 2).join(' ')}' failed; what it said stands above.`);
}
function fail(message) {
  console.error(`headgear: ${message}`);
  process.exit(1);
}
function digest(content) {
  return createHash('sha256').update(content).digest('hex');
}
function read(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
function fact(file) {
  const { mtimeMs, size } = statSync(join(root, file));
  return `${file} ${mtimeMs} ${size}`;
}
function list(folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => fact(join(entry.parentPath ?? entry.path, entry.name).slice(root.length + 1)))
    .sort();
}
