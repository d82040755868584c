/** One keep-awake request to one node frontend. */
import { type ClientRequest, request } from 'node:http';
import { isIP } from 'node:net';
import { type Classified, classifyAnswer, printable } from './classify-answer.ts';

/** Tells our lines apart in the node's access log. */
export const KEEP_AWAKE_USER_AGENT = 'Headgear-keep-awake/1';

/** The health page is one byte; whatever else answers is not read further. */
const MAX_BODY_BYTES = 4_096;
const MAX_HEAD_BYTES = 8_192;

export interface ProbeRequest {
  /** A literal IPv4 or IPv6 address: nothing is resolved here. */
  readonly address: string;
  readonly port: number;
  readonly path: string;
  readonly host: string;
  /** From dialling to the last byte that is read. */
  readonly timeoutMs: number;
}

export type ProbeAnswer = Classified & { readonly status: number };

/**
 * Sends the probe of domain.md 6: `GET path`, the given Host, `Connection: close`, a User-Agent of our own and not one field of any
 * client. Follows no redirect. Never rejects: no answer in time, or an abort, is `unreachable` with status 0.
 */
export function probeNodeFrontend(probe: ProbeRequest, signal: AbortSignal): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    const unreachable = (detail: string) => settle({ answer: 'unreachable', status: 0, detail });
    if (isIP(probe.address) === 0) {
      resolve({ answer: 'unreachable', status: 0, detail: `${printable(probe.address)} is not an address` });
      return;
    }
    let outgoing: ClientRequest;
    try {
      outgoing = ask(probe);
    } catch (error) {
      // A path or Host that cannot be written into a request head.
      const detail = printable(error instanceof Error ? error.message : String(error));
      resolve({ answer: 'odd', status: 0, detail });
      return;
    }
    const timer = setTimeout(() => unreachable(`no answer within ${probe.timeoutMs} ms`), probe.timeoutMs);
    const abort = () => unreachable('given up');
    let settled = false;
    function settle(answer: ProbeAnswer): void {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      outgoing.destroy();
      resolve(answer);
    }
    signal.addEventListener('abort', abort);
    outgoing.on('error', (error) => unreachable(printable(error.message)));
    // 101 without an `upgrade` listener and the like end without an error.
    outgoing.on('close', () => unreachable('the connection was closed without an answer'));
    outgoing.on('response', (response) => {
      const status = response.statusCode ?? 0;
      const parts: Buffer[] = [];
      let length = 0;
      const judge = () => {
        const body = Buffer.concat(parts).toString('latin1');
        const location = response.headers.location ?? null;
        settle({ ...classifyAnswer(probe, { status, location, body }), status });
      };
      response.on('data', (chunk: Buffer) => {
        parts.push(chunk);
        length += chunk.length;
        if (length > MAX_BODY_BYTES) judge();
      });
      // A body cut short changes nothing: status and Location are what counts.
      response.on('end', judge);
      response.on('error', judge);
      response.on('close', judge);
    });
    if (signal.aborted) abort();
    else outgoing.end();
  });
}

function ask(probe: ProbeRequest): ClientRequest {
  return request({
    host: probe.address,
    port: probe.port,
    path: probe.path,
    // An agent would keep sockets; each probe is a connection of its own.
    agent: false,
    maxHeaderSize: MAX_HEAD_BYTES,
    setHost: false,
    headers: {
      Host: probe.host,
      'User-Agent': KEEP_AWAKE_USER_AGENT,
      Accept: '*/*',
      Connection: 'close',
    },
  });
}
