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

export interface MemoryPeaks {
  /** Bytes in memory at most, pages of mapped files among them: those of the store's file count here, and the system may take them back. */
  readonly resident: number;
  /** Of it what is in no file, at most. */
  readonly own: number;
}

/** As `watchResident`, apart by what the memory is; zeros where there is no /proc. */
export function watchMemory(pid: number): () => MemoryPeaks {
  const ids = familyIds(pid) ?? [];
  const peaks = { resident: 0, own: 0 };
  const look = (): void => {
    const texts = ids.map(statusOf);
    const sum = (name: string): number =>
      texts.reduce(
        (bytes, text) =>
          bytes + 1_024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0),
        0,
      );
    peaks.resident = Math.max(peaks.resident, sum('VmRSS'));
    peaks.own = Math.max(peaks.own, sum('RssAnon'));
  };
  look();
  const timer = setInterval(look, LOOK_EVERY_MS);
  return () => {
    clearInterval(timer);
    look();
    return peaks;
  };
}

function statusOf(id: number): string {
  try {
    return readFileSync(`/proc/${id}/status`, 'latin1');
  } catch {
    // It ended.
    return '';
  }
}
