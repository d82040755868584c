/**
 * What a stranger can make costly is done in another thread: judging certificates (an encrypted key may want half a second of
 * CPU) and reading large bodies. In the thread that serves requests each would stall every tenant for as long.
 */
import { Worker } from 'node:worker_threads';
import type { Submission } from '../pem/judge.ts';
import type { Judged } from '../pem/types.ts';
import { readEvent } from '../spi/decode.ts';
import type { DocumentLimits } from '../spi/document.ts';
import type { Decoded } from '../spi/events.ts';
import type { Log } from '../telemetry/types.ts';

export type Task =
  | { readonly kind: 'judge'; readonly submission: Submission }
  | { readonly kind: 'read'; readonly body: Uint8Array; readonly limits: DocumentLimits };

export type Answer =
  | { readonly kind: 'judge'; readonly judged: Judged }
  | { readonly kind: 'read'; readonly decoded: Decoded }
  | { readonly kind: 'fault'; readonly error: string };

/** Bodies up to this are read at once: less work than handing them over (about 0.2 ms each). */
const SMALL_BODY_BYTES = 4_096;
/** Longer than any honest task takes; then the thread is ended and the task fails. */
const TASK_TIMEOUT_MS = 20_000;
const WORKER_HEAP_MB = 256;

export interface Costly {
  judge(submission: Submission): Promise<Judged>;
  read(body: Buffer): Decoded | Promise<Decoded>;
  stop(): Promise<void>;
}

/** The thread is started by the first task, and anew when it has died; the task it died of rejects. */
export function createCostly(limits: DocumentLimits, log: Log): Costly {
  let worker: Worker | null = null;
  let stopped = false;
  let nextId = 1;
  const open = new Map<
    number,
    { resolve(answer: Answer): void; reject(error: Error): void; timer: NodeJS.Timeout }
  >();

  const failAll = (reason: string): void => {
    for (const [id, task] of open) {
      open.delete(id);
      clearTimeout(task.timer);
      task.reject(new Error(reason));
    }
  };
  const start = (): Worker => {
    const fresh = new Worker(workerFile(), { resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB } });
    fresh.unref();
    fresh.on('message', ({ id, answer }: { id: number; answer: Answer }) => {
      const task = open.get(id);
      if (task === undefined) return;
      open.delete(id);
      clearTimeout(task.timer);
      task.resolve(answer);
    });
    fresh.on('error', (error) => log.error('the thread for costly work failed', { error: error.name }));
    fresh.on('exit', () => {
      if (worker !== fresh) return;
      worker = null;
      failAll('the thread for costly work ended');
    });
    return fresh;
  };
  const ask = (task: Task): Promise<Answer> =>
    new Promise((resolve, reject) => {
      if (stopped) {
        reject(new Error('stopped'));
        return;
      }
      worker ??= start();
      const id = nextId++;
      // Not unref'd: a task under way is a reason to stay.
      const timer = setTimeout(() => void worker?.terminate(), TASK_TIMEOUT_MS);
      open.set(id, { resolve, reject, timer });
      worker.postMessage({ id, task });
    });

  return {
    async judge(submission) {
      const answer = await ask({ kind: 'judge', submission });
      if (answer.kind === 'judge') return answer.judged;
      throw new Error(answer.kind === 'fault' ? answer.error : 'mixed answers');
    },
    read(body) {
      if (body.length <= SMALL_BODY_BYTES || body.length > limits.maxBodyBytes)
        return readEvent(body, limits);
      return ask({ kind: 'read', body, limits }).then((answer) => {
        if (answer.kind === 'read') return answer.decoded;
        throw new Error(answer.kind === 'fault' ? answer.error : 'mixed answers');
      });
    },
    async stop() {
      stopped = true;
      await worker?.terminate();
      failAll('stopped');
    },
  };
}

/** Beside this file, in whichever form it runs: TypeScript sources (Node that strips types) or built. */
function workerFile(): URL {
  return new URL(
    import.meta.url.endsWith('.ts') ? './costly-worker.ts' : './costly-worker.js',
    import.meta.url,
  );
}
