/** Load by autocannon. Its process lives through the whole bench, so that no target meets it cold. */
import { fileURLToPath } from 'node:url';
import type { Children } from './children.ts';
import type { Loader, LoadJob, LoadResult } from './load.ts';

const SPARE_MS = 30_000;

/** What the child process answers. */
export type AutocannonReply =
  | { readonly ok: true; readonly result: LoadResult }
  | { readonly ok: false; readonly error: string };

export function startAutocannon(children: Children): Loader {
  const child = children.start('autocannon', {
    command: process.execPath,
    args: [fileURLToPath(new URL('./load-autocannon-process.js', import.meta.url))],
    on: 'rest',
    ipc: true,
  });
  return {
    name: 'autocannon',
    title: 'autocannon 9, one thread',
    run: (job: LoadJob) =>
      new Promise((resolve, reject) => {
        const settle = (outcome: () => void): void => {
          clearTimeout(timer);
          child.process.off('message', onMessage);
          child.process.off('exit', onExit);
          outcome();
        };
        const onMessage = (message: unknown): void => {
          const reply = message as AutocannonReply;
          settle(() => (reply.ok ? resolve(reply.result) : reject(new Error(reply.error))));
        };
        const onExit = (): void => settle(() => reject(new Error(child.epitaph() ?? 'autocannon ended')));
        const timer = setTimeout(
          () => settle(() => reject(new Error(`autocannon did not finish with ${job.url}`))),
          job.seconds * 1_000 + SPARE_MS,
        );
        child.process.on('message', onMessage);
        child.process.on('exit', onExit);
        child.process.send(job);
      }),
  };
}
