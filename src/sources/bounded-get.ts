/** One GET of a stranger's server: bounded in time and size, redirected nowhere, TLS verified. */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

export interface GetOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** PEM of the authorities to verify against; default: Node's own. */
  readonly ca?: string | undefined;
  /** Until the whole answer is here; a server that dribbles for ever is given up. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/**
 * The body of a 200 as JSON. Rejects with an Error whose message begins with `SOURCES_...` and never quotes the answer or a header that
 * was sent. A redirection is an error: it would carry the password to whoever it names.
 */
export async function getJson(url: URL, options: GetOptions): Promise<unknown> {
  const text = await getText(url, options);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Error(`SOURCES_NOT_JSON: ${shown(url)} did not answer with JSON`);
  }
}

function getText(url: URL, { headers, ca, timeoutMs, maxBytes }: GetOptions): Promise<string> {
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      clearTimeout(timer);
      reject(new Error(reason));
      asked.destroy();
    };
    const asked = request(
      url,
      { headers: { Accept: 'application/json', ...headers }, agent: false, ca },
      (answer) => {
        const { statusCode = 0 } = answer;
        if (statusCode >= 300 && statusCode < 400)
          return fail(
            `SOURCES_REDIRECTED: ${shown(url)} leads elsewhere (${statusCode}); name the address that it leads to`,
          );
        if (statusCode !== 200) return fail(`SOURCES_STATUS: ${shown(url)} answered ${statusCode}`);
        const pieces: Buffer[] = [];
        let bytes = 0;
        answer.on('data', (piece: Buffer) => {
          bytes += piece.length;
          pieces.push(piece);
          if (bytes > maxBytes)
            fail(`SOURCES_TOO_LARGE: ${shown(url)} answers with more than ${maxBytes} bytes`);
        });
        answer.on('error', () => fail(`SOURCES_BROKEN: the answer of ${shown(url)} broke off`));
        answer.on('end', () => {
          clearTimeout(timer);
          resolve(Buffer.concat(pieces, bytes).toString('utf8'));
        });
      },
    );
    const timer = setTimeout(
      () => fail(`SOURCES_TIMEOUT: ${shown(url)} did not answer within ${timeoutMs} ms`),
      timeoutMs,
    );
    asked.on('error', (error: NodeJS.ErrnoException) =>
      fail(`SOURCES_UNREACHABLE: ${shown(url)}: ${error.code ?? error.message}`),
    );
    asked.end();
  });
}

/** Without a password that somebody wrote into it. */
function shown(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
