/** Looks at the files that a configuration names, before anything binds or opens them. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type NamedFile, namedFiles } from './file-keys.ts';
import type { Problem } from './problem.ts';
import type { Config } from './schema.ts';

export interface FileFindings {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** Every file that is missing or cannot be used (problems), and secrets that strangers can read (warnings). */
export function checkFiles(config: Config): FileFindings {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  for (const named of namedFiles(config)) {
    const trouble = troubleWith(named);
    if (trouble !== null) problems.push({ path: named.path, message: trouble });
    else if (named.use === 'secret' && isOpenToStrangers(named.file)) {
      warnings.push({
        path: named.path,
        message: `everybody on this machine can read ${named.file}: chmod 600 it`,
      });
    }
  }
  return { problems, warnings };
}

/** True where the mode lets everybody read. The group is left out: key files are often shared with it on purpose. */
export function isOpenToStrangers(file: string): boolean {
  return (statSync(file).mode & 0o004) !== 0;
}

function troubleWith({ file, use }: NamedFile): string | null {
  if (use === 'write') return folderTrouble(dirname(file), `the folder of ${file}`);
  if (use === 'folder') return folderTrouble(nearestExisting(file), file);
  try {
    if (!statSync(file).isFile()) return `${file} is not a file`;
    accessSync(file, constants.R_OK);
    return null;
  } catch (error) {
    return reason(file, error);
  }
}

/** Why a folder cannot be listed, or null. */
export function readFolderTrouble(folder: string): string | null {
  return folderTrouble(folder, folder, constants.R_OK);
}

function folderTrouble(folder: string, what: string, access = constants.W_OK): string | null {
  try {
    if (!statSync(folder).isDirectory()) return `${folder} is not a folder`;
    accessSync(folder, access | constants.X_OK);
    return null;
  } catch (error) {
    return reason(what, error);
  }
}

function nearestExisting(folder: string): string {
  let here = folder;
  while (!existsSync(here) && dirname(here) !== here) here = dirname(here);
  return here;
}

function reason(what: string, error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return `${what} does not exist`;
  if (code === 'EACCES') return `${what} cannot be used: permission denied for this user`;
  return `${what} cannot be used: ${code ?? String(error)}`;
}
