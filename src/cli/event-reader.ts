/** Reads a stream of server-sent events (the parts of the format that admin writes) over HTTP. */
import { get } from 'node:http';

/** How one reading ended. `final`: asking again would not help. */
export interface ReadingEnd {
  readonly connected: boolean;
  readonly final: boolean;
  readonly reason: string;
}

const SILENCE_MS = 45_000;
const MAX_BUFFERED_CHARS = 8_388_608;

/** Calls `onConnected` once the stream is there and `onData` for the data of each event; resolves when the stream ended. */
export function readEvents(
  url: URL,
  signal: AbortSignal,
  onConnected: () => void,
  onData: (data: string) => void,
): Promise<ReadingEnd> {
  return new Promise((resolve) => {
    let connected = false;
    const end = (reason: string, final = false): void => {
      resolve({ connected, final, reason });
      request.destroy();
    };
    const request = get(
      url,
      { headers: { Accept: 'text/event-stream' }, signal, agent: false },
      (response) => {
        response.setEncoding('utf8');
        response.on('error', (error) => end(error.message));
        if (response.statusCode !== 200) {
          response.once('data', (text: string) =>
            end(`${response.statusCode}: ${text.slice(0, 300).trim()}`, isFinal(response.statusCode)),
          );
          response.once('end', () => end(`${response.statusCode}`, isFinal(response.statusCode)));
          return;
        }
        if (!/^text\/event-stream\b/.test(response.headers['content-type'] ?? ''))
          return end('this is not the admin listener of Headgear', true);
        connected = true;
        onConnected();
        let rest = '';
        response.on('data', (piece: string) => {
          const events = (rest + piece).split('\n\n');
          rest = events.pop() ?? '';
          for (const event of events) {
            const data = /^data: (.*)$/m.exec(event)?.[1];
            if (data !== undefined) onData(data);
          }
          if (rest.length > MAX_BUFFERED_CHARS) end('the stream makes no sense');
        });
        response.on('end', () => end('the stream ended'));
        response.on('close', () => end('the connection was closed'));
      },
    );
    request.setTimeout(SILENCE_MS, () => end('nothing was heard for too long'));
    request.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

/** A refusal stays one; 503 is "too many readers" and passes. */
function isFinal(status: number | undefined): boolean {
  return status !== undefined && status >= 400 && status < 500;
}
