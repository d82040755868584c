/**
 * The process behind check-file.ts, whose process id comes first. `verify FILE`; `copy FILE TO`, which verifies the copy too; `renew FILE TO`, which
 * goes without the copy where there is no room for one; `settle FILE TO`, which renews only what is not whole down to its
 * free pages. Says `sound`, `copied` or `damaged REASON` in one line; what dies of the file instead says nothing.
 */
import { writeSync } from 'node:fs';
import { oddityOf } from './page-check.ts';
import { messageOf } from './store-error.ts';

const [parent = '', mode, path = '', to = ''] = process.argv.slice(2);
/** The file could not be copied, which proves nothing against it. */
let uncopied: unknown = null;
try {
  writeSync(1, `${await look()} \n`);
} catch (error) {
  writeSync(1, `${error === uncopied ? 'uncopied' : 'damaged'} ${oneLine(error)}\n`);
}

async function look(): Promise<'sound' | 'copied'> {
  if (mode === 'verify' || mode === 'settle') {
    if (oddityOf(path) === null) return 'sound';
    if (mode === 'verify') return verify(path);
  }
  const { CopyError, copyFile } = await withLmdb();
  try {
    await copyFile(path, to, endIfAlone);
  } catch (error) {
    if (!(error instanceof CopyError)) throw error;
    if (mode !== 'copy') return verify(path);
    uncopied = error;
    throw error;
  }
  if (mode === 'copy' && oddityOf(to) !== null) await verify(to);
  return 'copied';
}

/**
 * Headgear was killed: nobody will put the copy in its place, and the next start clears it away. Asked for and not told of, since a copy keeps
 * this process from hearing anything.
 */
function endIfAlone(): void {
  if (process.ppid !== Number(parent)) process.exit(1);
}

async function verify(file: string): Promise<'sound'> {
  const { verifyFile } = await withLmdb();
  await verifyFile(file);
  return 'sound';
}

/** Loaded where it is wanted: at most starts it is not, and they wait for this process. */
function withLmdb(): Promise<typeof import('./verify.ts')> {
  return import('./verify.ts');
}

function oneLine(error: unknown): string {
  return messageOf(error).replace(/\s+/g, ' ');
}
