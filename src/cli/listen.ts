/** `headgear listen`: shows each routing event as it comes (the "echo" listener). */
import { setTimeout } from 'node:timers/promises';
import type { EventReport } from '../control/types.ts';
import { adminOptions, adminUrl } from './admin-client.ts';
import { type Command, EXIT, type Io, readArguments } from './command.ts';
import { eventJson, eventLine } from './event-line.ts';
import { readEvents } from './event-reader.ts';

const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 5_000;

export const listen: Command = {
  name: 'listen',
  help: `Usage: headgear listen [--admin URL] [--json]

Shows each routing event of a running Headgear as it comes, until it is stopped by Ctrl-C. Connects again when the connection
is lost; events of the meantime are not shown.

  --admin URL  the admin listener (default http://127.0.0.1:9090)
  --json       one JSON object a line`,
  async run(args, io) {
    const options = { ...adminOptions, json: { type: 'boolean', default: false } } as const;
    const { values } = readArguments(args, options, false);
    return listenTo(new URL('/events', adminUrl(values.admin)), values.json, io);
  },
};

async function listenTo(url: URL, json: boolean, io: Io): Promise<number> {
  const stop = new AbortController();
  const deaf = io.onSignal(() => stop.abort());
  const show = (data: string): void => {
    const report = parsed(data);
    if (report !== null) io.out(json ? eventJson(report) : eventLine(report, io.colour));
  };
  let waitMs = RETRY_MIN_MS;
  let said = '';
  try {
    while (!stop.signal.aborted) {
      const end = await readEvents(
        url,
        stop.signal,
        () => io.err(`headgear listen: connected to ${url.origin}`),
        show,
      );
      if (stop.signal.aborted) break;
      if (end.final) {
        io.err(`headgear listen: ${url.origin} refused: ${end.reason}`);
        return EXIT.failed;
      }
      if (end.connected) [waitMs, said] = [RETRY_MIN_MS, ''];
      // The same trouble is said once, however long it lasts.
      if (end.reason !== said)
        io.err(`headgear listen: no stream from ${url.origin} (${end.reason}); trying again`);
      said = end.reason;
      await setTimeout(waitMs, undefined, { signal: stop.signal }).catch(() => undefined);
      waitMs = Math.min(waitMs * 2, RETRY_MAX_MS);
    }
    return EXIT.ok;
  } finally {
    deaf();
  }
}

function parsed(data: string): EventReport | null {
  try {
    const value = JSON.parse(data) as EventReport;
    return typeof value.number === 'number' && Array.isArray(value.notes) ? value : null;
  } catch {
    return null;
  }
}
