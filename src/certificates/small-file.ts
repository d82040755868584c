/** Reads the files of certificates and keys that the configuration names. */
import { readFileSync, statSync } from 'node:fs';

export type SmallFile =
  | { readonly ok: true; readonly content: Buffer }
  | { readonly ok: false; readonly reason: string };

const MAX_FILE_BYTES = 256 * 1024;

/** The whole of a plain file of at most `maxBytes`. Never throws. */
export function readSmallFile(file: string, maxBytes = MAX_FILE_BYTES): SmallFile {
  try {
    const stats = statSync(file);
    // A named pipe would hold the start for ever.
    if (!stats.isFile()) return { ok: false, reason: `${file} is not a file` };
    if (stats.size > maxBytes) return { ok: false, reason: `${file} is larger than ${maxBytes} bytes` };
    return { ok: true, content: readFileSync(file) };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return { ok: false, reason: `${file} cannot be read (${code})` };
  }
}
