/** Resident memory of a process and its descendants, from /proc. Linux only. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { familyIds } from './cpu.ts';

const LOOK_EVERY_MS = 100;
/** Position in /proc/<pid>/statm (proc(5)). */
const RESIDENT_PAGES = 1;

let pageBytes = 0;

/** Resident bytes of these processes together; those that ended count nothing. */
function residentOf(ids: readonly number[]): number {
  if (pageBytes === 0) pageBytes = Number(execFileSync('getconf', ['PAGESIZE'], { encoding: 'utf8' }));
  let pages = 0;
  for (const id of ids) {
    try {
      pages += Number(readFileSync(`/proc/${id}/statm`, 'latin1').split(' ')[RESIDENT_PAGES]);
    } catch {
      // It ended.
    }
  }
  return pages * pageBytes;
}

/** Resident bytes of a process and all below it; null where there is no /proc. */
export function residentBytes(pid: number): number | null {
  const ids = familyIds(pid);
  return ids === null ? null : residentOf(ids);
}

/** Looks every 100 ms until it is asked for the greatest that it saw. Processes that start meanwhile are not seen. */
export function watchResident(pid: number): () => number | null {
  const ids = familyIds(pid);
  if (ids === null) return () => null;
  let peak = residentOf(ids);
  const look = (): void => {
    peak = Math.max(peak, residentOf(ids));
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  return () => {
    clearInterval(timer);
    look();
    return peak;
  };
}
