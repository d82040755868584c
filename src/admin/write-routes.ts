/** What can be changed by POST, each only with the token (authorise.ts). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerJson, answerText } from './answer.ts';
import type { Refusal } from './guard.ts';
import { readBody, readJson } from './read-body.ts';
import type { ControlView } from './views.ts';

/** Answers by itself, or says why the request is refused. */
export type Writer = (request: IncomingMessage, response: ServerResponse) => Promise<Refusal | null>;

const MAX_COMMAND_BYTES = 65_536;
const EVENT_TYPES = ['application/json', 'application/yaml', 'application/x-yaml', 'text/yaml'];
const MAX_EVENTS_BYTES = 4 * 1_048_576;
/** Requests with events that are handled at one time: with the bound above, what they may hold of memory. */
const MAX_EVENT_REQUESTS = 8;

/** null: all. Exactly one of the two must be said: nobody drops everything by a slip. */
function idsOf({
  ids,
  all,
  ...rest
}: Readonly<Record<string, unknown>>): readonly number[] | null | 'unclear' {
  if (Object.keys(rest).length > 0) return 'unclear';
  if (all === true && ids === undefined) return null;
  if (all !== undefined || !Array.isArray(ids) || ids.length === 0) return 'unclear';
  const numbers = ids.filter((id): id is number => Number.isSafeInteger(id) && id > 0);
  return numbers.length === ids.length ? [...new Set(numbers)] : 'unclear';
}

/** The writer of a path, or null. */
export function createWriteRoutes(control: ControlView): (path: string) => Writer | null {
  let eventRequests = 0;

  const takeEvents: Writer = async (request, response) => {
    if (eventRequests >= MAX_EVENT_REQUESTS) {
      const reason = `${MAX_EVENT_REQUESTS} requests with events are being handled already; send this one again.\n`;
      answerText(response, 503, reason, { 'Retry-After': '1', Connection: 'close' });
      return null;
    }
    eventRequests += 1;
    try {
      const body = await readBody(request, EVENT_TYPES, MAX_EVENTS_BYTES);
      if (!body.ok) return body.refusal;
      const from = request.socket.remoteAddress ?? 'gone';
      const { status, ...answer } = await control.takeEvents(body.bytes, `http:${from}`);
      answerJson(response, status, answer);
      return null;
    } finally {
      eventRequests -= 1;
    }
  };

  const writers: Readonly<Record<string, Writer>> = {
    '/events': takeEvents,
    '/manual': async (request, response) => {
      const body = await readJson(request, MAX_COMMAND_BYTES);
      if (!body.ok) return body.refusal;
      const { status, ...answer } = await control.manual(body.value);
      answerJson(response, status, answer);
      return null;
    },
    '/freeze': (request, response) => setFrozen('freeze', request, response),
    '/thaw': (request, response) => setFrozen('thaw', request, response),
    '/quarantine/replay': (request, response) => settle('replay', request, response),
    '/quarantine/drop': (request, response) => settle('drop', request, response),
  };

  async function setFrozen(
    verb: 'freeze' | 'thaw',
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<Refusal | null> {
    const body = await readJson(request, MAX_COMMAND_BYTES);
    if (!body.ok) return body.refusal;
    const { status, ...answer } = await control.setFrozen(verb);
    answerJson(response, status, answer);
    return null;
  }

  async function settle(
    verb: 'replay' | 'drop',
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<Refusal | null> {
    const body = await readJson(request, MAX_COMMAND_BYTES);
    if (!body.ok) return body.refusal;
    const ids = idsOf(body.value);
    if (ids === 'unclear') {
      const reason = 'Send {"ids": [1, 2]} with the numbers of quarantined messages, or {"all": true}.';
      return { status: 400, code: 'ADMIN_IDS_INVALID', reason };
    }
    answerJson(response, 200, { results: await control.settleQuarantine(verb, ids) });
    return null;
  }

  return (path) => (Object.hasOwn(writers, path) ? (writers[path] ?? null) : null);
}
