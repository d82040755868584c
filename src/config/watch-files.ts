/** Notices changed files, for what is reloaded without a restart. */
import { statSync } from 'node:fs';

const POLL_MS = 2_000;

export interface FileWatch {
  /** Looks now, as the poll would. */
  check(): void;
  stop(): void;
}

/**
 * Calls `onChange` after any of `files` was changed, replaced, removed or came back. By looking at them every two seconds: fs.watch
 * loses track of a file that is replaced by rename or by a symbolic link, which is how such files are replaced, and sees nothing on NFS.
 */
export function watchFiles(files: readonly string[], onChange: () => void, pollMs = POLL_MS): FileWatch {
  let known = files.map(stampOf).join('\n');
  const check = (): void => {
    const now = files.map(stampOf).join('\n');
    if (now === known) return;
    known = now;
    onChange();
  };
  const timer = setInterval(check, pollMs);
  timer.unref();
  return { check, stop: () => clearInterval(timer) };
}

/** What changes with the content, unless somebody takes pains; '' for a file that is not there. */
function stampOf(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false, bigint: true });
  return stats === undefined ? '' : `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs}`;
}
