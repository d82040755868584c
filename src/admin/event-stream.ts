/** Server-sent events: each event of the control loop as it comes, to any number of readers within bounds. */
import type { ServerResponse } from 'node:http';
import type { EventReport } from '../control/types.ts';
import { answerText, begin } from './answer.ts';
import { adminJson } from './redact.ts';

export interface EventStream {
  /** Answers a request with the stream; it ends when the reader goes, is too slow, or admin stops. */
  join(response: ServerResponse): void;
  readers(): number;
  stop(): void;
}

const MAX_READERS = 32;
/** What may wait for one reader; a slower one is dropped and may come again, others do not wait for it. */
const MAX_WAITING_BYTES = 1_048_576;
const HEARTBEAT_MS = 15_000;

/** Subscribes once, while there are readers, and writes each report to all of them. */
export function createEventStream(
  subscribe: (listener: (report: EventReport) => void) => () => void,
): EventStream {
  const readers = new Set<ServerResponse>();
  let unsubscribe: (() => void) | null = null;
  let heartbeat: NodeJS.Timeout | null = null;

  const send = (text: string): void => {
    for (const reader of readers) {
      if (reader.writableLength > MAX_WAITING_BYTES) reader.destroy();
      else reader.write(text);
    }
  };
  const leave = (reader: ServerResponse): void => {
    readers.delete(reader);
    if (readers.size > 0) return;
    unsubscribe?.();
    unsubscribe = null;
    if (heartbeat !== null) clearInterval(heartbeat);
    heartbeat = null;
  };

  return {
    join(response) {
      if (readers.size >= MAX_READERS) {
        answerText(response, 503, `At most ${MAX_READERS} readers at a time.\n`, { 'Retry-After': '10' });
        return;
      }
      begin(response, 200, 'text/event-stream');
      response.write(': connected\n\n');
      readers.add(response);
      response.once('close', () => leave(response));
      // JSON has no raw line feeds, so nothing in a report can begin a field or an event of the stream.
      unsubscribe ??= subscribe((report) =>
        send(`id: ${report.number}\nevent: event\ndata: ${adminJson(report)}\n\n`),
      );
      heartbeat ??= setInterval(() => send(': alive\n\n'), HEARTBEAT_MS);
    },
    readers: () => readers.size,
    stop() {
      for (const reader of readers) reader.destroy();
    },
  };
}
