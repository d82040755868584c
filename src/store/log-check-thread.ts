/** The thread behind log-check.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import type { LogCheckTask } from './log-check.ts';
import { isWholeUpTo } from './redo-log.ts';

const { dir, last } = workerData as LogCheckTask;
parentPort?.postMessage(isWholeUpTo(dir, last));
