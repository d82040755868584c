/** The two ends of a load program of our own in a process of its own, which lives through the whole bench: no target meets it cold. */
import { fileURLToPath } from 'node:url';
import type { Children } from './children.ts';
import type { Loader, LoaderName, LoadJob, LoadResult } from './load.ts';

const SPARE_MS = 30_000;

type Reply =
  | { readonly ok: true; readonly result: LoadResult }
  | { readonly ok: false; readonly error: string };

/** `script`: beside this file; it calls `answerJobs`. */
export function startLoadProcess(
  children: Children,
  { name, title, script }: { readonly name: LoaderName; readonly title: string; readonly script: string },
): Loader {
  const child = children.start(name, {
    command: process.execPath,
    args: [fileURLToPath(new URL(script, import.meta.url))],
    on: 'rest',
    ipc: true,
  });
  return {
    name,
    title,
    run: (job: LoadJob) =>
      new Promise((resolve, reject) => {
        const settle = (outcome: () => void): void => {
          clearTimeout(timer);
          child.process.off('message', onMessage);
          child.process.off('exit', onExit);
          outcome();
        };
        const onMessage = (message: unknown): void => {
          const reply = message as Reply;
          settle(() => (reply.ok ? resolve(reply.result) : reject(new Error(reply.error))));
        };
        const onExit = (): void => settle(() => reject(new Error(child.epitaph() ?? `${name} ended`)));
        const timer = setTimeout(
          () => settle(() => reject(new Error(`${name} did not finish with port ${job.port}`))),
          job.seconds * 1_000 + SPARE_MS,
        );
        child.process.on('message', onMessage);
        child.process.on('exit', onExit);
        child.process.send(job);
      }),
  };
}

/** The child's end: runs each job that comes, one at a time, and ends with its parent. */
export function answerJobs(run: (job: LoadJob) => Promise<LoadResult>): void {
  process.on('message', (job: LoadJob) => {
    run(job).then(
      (result) => process.send?.({ ok: true, result } satisfies Reply),
      (error: unknown) => process.send?.({ ok: false, error: String(error) } satisfies Reply),
    );
  });
  process.on('disconnect', () => process.exit());
}
