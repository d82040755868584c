/**
 * Has another thread read the store's file, page by page and never mapped, while this one does something else: whether all of it is whole
 * (page-check.ts), and what a start is going to ask for, as it is verified. So it is read once, and by the other core.
 *
 * A thread and no process, because what only reads pages is ended by none of them; lmdb is asked apart (check-file.ts), and only about a file
 * that is odd. Records are decoded as they come: time in which this thread would wait. Where the file turns out odd they are dropped.
 */
import { Worker } from 'node:worker_threads';
import type { AppKey } from '../spi/events.ts';
import type { Application } from '../table/state.ts';
import { moduleBeside } from './module-beside.ts';
import type { SealedCertificate } from './types.ts';

/** What the thread is told. */
export interface ReadTask {
  readonly path: string;
  /** False: it is only verified. */
  readonly keep: boolean;
}

/** Records of one table, in the order of their keys: value n lies in `slab` from `bounds[2 * n]` to `bounds[2 * n + 1]`. */
export interface ReadPart {
  readonly kind: 'apps' | 'certificates';
  readonly slab: SharedArrayBuffer;
  readonly bounds: Uint32Array;
  /** Of certificates application, alias and id, one after the other; else nothing. */
  readonly names: readonly string[];
}

export type ReadMessage =
  | ReadPart
  | { readonly kind: 'apps-end' }
  | { readonly kind: 'end'; readonly oddity: string | null };

export type HeldCertificate = readonly [app: AppKey, alias: string, certificate: SealedCertificate];

/** All that is in a file that is whole; both empty where it was only verified. */
export interface WholeRead {
  readonly kept: boolean;
  /** In the order of their keys, as `certificates` are. */
  readonly apps: readonly Application[];
  readonly certificates: readonly HeldCertificate[];
}

export interface Reading {
  /**
   * All applications, which are read first: of a file that may yet turn out to be odd. Those of `whole` are the same list then. null: they
   * were not kept, or could not be read. Never rejects.
   */
  readonly apps: Promise<readonly Application[] | null>;
  /** null: the file is odd, or nothing came to be known of it. Never rejects. */
  readonly whole: Promise<WholeRead | null>;
  /** Gives up. */
  stop(): void;
}

/** As long as another process is given (check-file.ts). */
const MAX_READ_MS = 300_000;

/** Reads a file that nobody writes to. */
export function beginReading(task: ReadTask): Reading {
  const thread = new Worker(moduleBeside('reading-thread', import.meta.url), { workerData: task });
  const apps: Application[] = [];
  const certificates: HeldCertificate[] = [];
  let tellApps: (apps: readonly Application[] | null) => void = () => undefined;
  const early = new Promise<readonly Application[] | null>((resolve) => {
    tellApps = resolve;
  });
  const whole = new Promise<WholeRead | null>((resolve) => {
    const giveUp = (): void => {
      resolve(null);
      void thread.terminate();
    };
    const timer = setTimeout(giveUp, MAX_READ_MS);
    thread.on('message', (message: ReadMessage) => {
      if (message.kind === 'apps-end') tellApps(apps);
      else if (message.kind === 'end')
        resolve(message.oddity === null ? { kept: task.keep, apps, certificates } : null);
      else if (!take(message, apps, certificates)) giveUp();
    });
    thread.on('error', () => resolve(null));
    thread.on('exit', () => {
      clearTimeout(timer);
      resolve(null);
    });
  });
  void whole.then(() => tellApps(null));
  return { apps: early, whole, stop: () => void thread.terminate() };
}

/** False where a record is not what this program writes, though its checksum says so. */
function take(part: ReadPart, apps: Application[], certificates: HeldCertificate[]): boolean {
  const slab = Buffer.from(part.slab);
  let name = 0;
  try {
    for (let n = 0; n < part.bounds.length; n += 2) {
      const [start, end] = [part.bounds[n], part.bounds[n + 1]];
      if (part.kind === 'apps') apps.push(JSON.parse(slab.toString('utf8', start, end)) as Application);
      else {
        const [app = '', alias = '', id = ''] = part.names.slice(name, name + 3);
        name += 3;
        certificates.push([app, alias, { id, sealed: slab.subarray(start, end) }]);
      }
    }
    return true;
  } catch {
    return false;
  }
}
