/**
 * Has another thread read the store's file, page by page and never mapped, while this one does something else: whether all of it is whole
 * (page-check.ts), and what a start is going to ask for, as it is verified. So it is read once, and by the other core.
 *
 * A thread and no process, because what only reads pages is ended by none of them; lmdb is asked apart (check-file.ts), and only about a file
 * that is odd. Applications are decoded as they come: time in which this thread would wait. Where the file turns out odd they are dropped.
 */
import { Worker } from 'node:worker_threads';
import { heldApplication } from '../table/shown-alias.ts';
import type { Application } from '../table/state.ts';
import { moduleBeside } from './module-beside.ts';
import type { HeldCertificate } from './types.ts';

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
  /** Of certificates application ('': that of the one before), alias and id, one after the other; else nothing. */
  readonly names: readonly string[];
}

export type ReadMessage =
  | ReadPart
  | { readonly kind: 'apps-end' }
  | { readonly kind: 'end'; readonly oddity: string | null };

/** All that is in a file that is whole; both empty where it was only verified. */
export interface WholeRead {
  readonly kept: boolean;
  /** In the order of their keys, as `certificates` are. */
  readonly apps: readonly Application[];
  /** Made as they are asked for: nobody holds a hundred thousand lists of three meanwhile. */
  readonly certificates: Iterable<HeldCertificate>;
}

export type TakeCertificates = (some: Iterable<HeldCertificate>) => void;

export interface Reading {
  /**
   * All applications, which are read first: of a file that may yet turn out to be odd. Those of `whole` are the same list then. null: they
   * were not kept, or could not be read. Never rejects.
   */
  readonly apps: Promise<readonly Application[] | null>;
  /** Hands over the certificates read so far, and the others as they are read, before `whole` resolves: of a file that may yet turn out to be odd. Once. */
  eachCertificate(take: TakeCertificates): void;
  /** null: the file is odd, or nothing came to be known of it. Never rejects. */
  readonly whole: Promise<WholeRead | null>;
  /** Gives up. */
  stop(): void;
}

/** As long as another process is given (check-file.ts). */
const MAX_READ_MS = 300_000;

/** Reads a file that nobody writes to. */
export function beginReading(task: ReadTask): Reading {
  // It begins before the secrets among the variables are forgotten, and has no need of any.
  const thread = new Worker(moduleBeside('reading-thread', import.meta.url), { workerData: task, env: {} });
  const apps: Application[] = [];
  const sealed: ReadPart[] = [];
  const certificates = { [Symbol.iterator]: () => certificatesIn(sealed) };
  let take: TakeCertificates | null = null;
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
      else if (message.kind === 'certificates') {
        sealed.push(message);
        take?.(certificatesIn([message]));
      } else if (!decode(message, apps)) giveUp();
    });
    thread.on('error', () => resolve(null));
    thread.on('exit', () => {
      clearTimeout(timer);
      resolve(null);
    });
  });
  void whole.then(() => tellApps(null));
  return {
    apps: early,
    eachCertificate(taker) {
      take = taker;
      taker(certificates);
    },
    whole,
    stop: () => void thread.terminate(),
  };
}

/** False where a record is not what this program writes, though its checksum says so. */
function decode({ slab, bounds }: ReadPart, apps: Application[]): boolean {
  const text = Buffer.from(slab);
  try {
    for (let n = 0; n < bounds.length; n += 2)
      apps.push(heldApplication(JSON.parse(text.toString('utf8', bounds[n], bounds[n + 1])) as Application));
    return true;
  } catch {
    return false;
  }
}

function* certificatesIn(parts: readonly ReadPart[]): Generator<HeldCertificate> {
  for (const { slab, bounds, names } of parts) {
    const bytes = Buffer.from(slab);
    let app = '';
    let name = 0;
    for (let n = 0; n < bounds.length; n += 2) {
      // Where it is not named, it is the same text as before, and not one that is equal.
      app = names[name] || app;
      const [alias = '', id = ''] = [names[name + 1], names[name + 2]];
      name += 3;
      yield [app, alias, { id, sealed: bytes.subarray(bounds[n], bounds[n + 1]) }];
    }
  }
}
