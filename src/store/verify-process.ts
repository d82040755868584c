/**
 * The process behind check-file.ts. `verify FILE`; `copy FILE TO`, which verifies the copy too; `renew FILE TO`, which
 * goes without the copy where there is no room for one. Says `sound`, `copied` or `damaged REASON` in one line; what dies
 * of the file instead says nothing.
 */
import { writeSync } from 'node:fs';
import { messageOf } from './store-error.ts';
import { CopyError, copyFile, verifyFile } from './verify.ts';

const [mode, path = '', to = ''] = process.argv.slice(2);
try {
  const copied = mode !== 'verify' && (await copies());
  if (!copied) await verifyFile(path);
  else if (mode === 'copy') await verifyFile(to);
  writeSync(1, copied ? 'copied \n' : 'sound \n');
} catch (error) {
  if (error instanceof CopyError) writeSync(1, `uncopied ${oneLine(error)}\n`);
  else writeSync(1, `damaged ${oneLine(error)}\n`);
}

async function copies(): Promise<boolean> {
  try {
    await copyFile(path, to);
    return true;
  } catch (error) {
    if (mode === 'renew' && error instanceof CopyError) return false;
    throw error;
  }
}

function oneLine(error: unknown): string {
  return messageOf(error).replace(/\s+/g, ' ');
}
