/** The thread behind costly.ts: answers each task in order. Nothing is kept between tasks. */
import { parentPort } from 'node:worker_threads';
import { judgeCertificate } from '../pem/judge.ts';
import { readEvent } from '../spi/decode.ts';
import type { Answer, Task } from './costly.ts';

parentPort?.on('message', ({ id, task }: { id: number; task: Task }) => {
  parentPort?.postMessage({ id, answer: perform(task) });
});

function perform(task: Task): Answer {
  try {
    return task.kind === 'judge'
      ? { kind: 'judge', judged: judgeCertificate(task.submission) }
      : { kind: 'read', decoded: readEvent(Buffer.from(task.body), task.limits) };
  } catch (error) {
    // The name alone: messages of parsers quote what they read, and that may be a private key.
    return { kind: 'fault', error: error instanceof Error ? error.name : typeof error };
  }
}
