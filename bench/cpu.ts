/** Processor time of other processes, and which processor they run on. Linux only: elsewhere figures of CPU are left out. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

// Positions in /proc/<pid>/stat (proc(5)), counted behind the name in parentheses, which may hold blanks itself.
const PARENT = 1;
/** User and system time, its own and that of its children that ended: else a process that ends within a run takes what it used with it. */
const TICKS = [11, 12, 13, 14];

let microsecondsPerTick = 0;

/**
 * User and system time in microseconds that a process, its threads and its descendants, ended ones too, have used so far; null where there
 * is no /proc. It moves in steps of 10 ms.
 */
export function cpuMicroseconds(pid: number): number | null {
  const family = familyOf(pid);
  if (family === null) return null;
  if (microsecondsPerTick === 0) {
    microsecondsPerTick = 1e6 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  }
  let ticks = 0;
  for (const stat of family.values()) for (const place of TICKS) ticks += Number(stat[place]);
  return ticks * microsecondsPerTick;
}

/** The process ids of a process and all below it; null where there is no /proc. */
export function familyIds(pid: number): readonly number[] | null {
  const family = familyOf(pid);
  return family === null ? null : [...family.keys()];
}

/** The stat fields of a process and all below it, by process id. */
function familyOf(pid: number): ReadonlyMap<number, readonly string[]> | null {
  const first = statOf(pid);
  if (first === null) return null;
  const all = new Map<number, readonly string[]>();
  for (const name of readdirSync('/proc')) {
    const stat = /^[0-9]+$/.test(name) ? statOf(Number(name)) : null;
    if (stat !== null) all.set(Number(name), stat);
  }
  const family = new Map([[pid, first]]);
  const parents = [pid];
  for (let parent = parents.pop(); parent !== undefined; parent = parents.pop()) {
    for (const [child, stat] of all) {
      if (Number(stat[PARENT]) !== parent) continue;
      family.set(child, stat);
      parents.push(child);
    }
  }
  return family;
}

function statOf(pid: number): readonly string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const name = text.lastIndexOf(')');
    // One that is just ending may have nothing more to tell.
    return name < 0 ? null : text.slice(name + 2).split(' ');
  } catch {
    // Ended between listing and reading, or no /proc at all.
    return null;
  }
}

interface Placement {
  readonly proxy: string;
  readonly rest: string;
}

let placement: Placement | null | undefined;

/** The processor for the proxies and those for everything else, as `taskset -c` takes them; null where that cannot be had. */
export function placementOfCpus(): Placement | null {
  placement ??= findPlacement();
  return placement;
}

function findPlacement(): Placement | null {
  try {
    const allowed = execFileSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' });
    const cpus = expand(allowed.slice(allowed.lastIndexOf(':') + 1).trim());
    const proxy = cpus.pop();
    return proxy === undefined || cpus.length === 0 ? null : { proxy, rest: cpus.join(',') };
  } catch {
    return null;
  }
}

/** `0-2,5` -> 0, 1, 2, 5. */
function expand(list: string): string[] {
  return list.split(',').flatMap((part) => {
    const [from = 0, to = from] = part.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
  });
}

/** The command line that runs a program on its processor. taskset replaces itself by the program, so the process id is the program's. */
export function onCpu(
  where: 'proxy' | 'rest',
  command: string,
  args: readonly string[],
): { readonly command: string; readonly args: string[] } {
  const cpus = placementOfCpus();
  if (cpus === null) return { command, args: [...args] };
  return { command: 'taskset', args: ['-c', cpus[where], command, ...args] };
}
