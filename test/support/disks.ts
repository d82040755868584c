/** Disks that go wrong, by the means that this machine allows. */
import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A state folder that can be full. */
export interface FailingDisk {
  /** For people. */
  readonly means: string;
  /** Before the first start: `folder` is empty. */
  prepare(folder: string): void;
  /** What Headgear is started through. */
  readonly through: readonly string[];
  /** Leaves room for some hundred events more, and none for the next thousand. */
  fill(): void;
  /** There is room again, for this process too. */
  free(pid: number): void;
  remove(): void;
}

const DISK_BYTES = 16 * 1_048_576;
const LEFT_BYTES = 200_000;
const LEFT_BLOCKS = 1_000;

/** A disk of its own in memory, really full (ENOSPC). */
function smallDisk(): FailingDisk {
  let folder: string | null = null;
  const ballast = (): string => join(folder ?? '', 'ballast');
  return {
    means: 'a small disk',
    through: [],
    prepare(dir) {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=0700`, 'tmpfs', dir]);
      folder = dir;
    },
    fill() {
      const [, free = ''] = execFileSync('df', ['-B1', '--output=avail', folder ?? ''])
        .toString()
        .split('\n');
      writeFileSync(ballast(), Buffer.alloc(Number(free) - LEFT_BYTES));
    },
    free: () => rmSync(ballast(), { force: true }),
    // Lazily: a process that was killed a moment ago may still hold files of it.
    remove: () => void (folder !== null && spawnSync('umount', ['-l', folder])),
  };
}

/** A limit on the size of files (EFBIG), which refuses a write as a full disk does and needs no rights that a container lacks. */
function limitedFiles(): FailingDisk {
  return {
    means: 'a limit on the size of files',
    through: ['sh', '-c', `ulimit -S -f ${LEFT_BLOCKS} && exec "$0" "$@"`],
    prepare: () => undefined,
    fill: () => undefined,
    free: (pid) => void execFileSync('prlimit', ['--pid', String(pid), '--fsize=unlimited']),
    remove: () => undefined,
  };
}

/** Every way to have a full disk here. Where nothing may be mounted (a container without that right) the limit has to do, which is said aloud. */
export function failingDisks(scratch: string): readonly (() => FailingDisk)[] {
  const may = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', scratch]).status === 0;
  if (may) spawnSync('umount', ['-l', scratch]);
  else
    process.stderr.write(
      'nothing may be mounted here: a full disk is shown by a limit on file sizes alone\n',
    );
  return may ? [smallDisk, limitedFiles] : [limitedFiles];
}

/** Has every further write to an open file refused, by the immutable flag (EPERM), or where that is not permitted by a limit (EFBIG). */
export function forbidWriting(
  pid: number,
  file: string,
): { /** For people. */ readonly means: string; readonly allow: () => void } {
  if (spawnSync('chattr', ['+i', file]).status === 0) {
    return { means: 'the file is immutable', allow: () => void execFileSync('chattr', ['-i', file]) };
  }
  const limit = (size: string): void =>
    void execFileSync('prlimit', ['--pid', String(pid), `--fsize=${size}`]);
  limit('0:unlimited');
  return {
    means: 'no file can be made immutable here: a limit on file sizes stands in for it',
    allow: () => limit('unlimited'),
  };
}
