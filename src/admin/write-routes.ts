/** What can be changed by POST, each only with the token (authorise.ts). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerJson } from './answer.ts';
import type { Refusal } from './guard.ts';
import { readJson } from './read-body.ts';
import type { ControlView } from './views.ts';

/** Answers by itself, or says why the request is refused. */
export type Writer = (request: IncomingMessage, response: ServerResponse) => Promise<Refusal | null>;

const MAX_COMMAND_BYTES = 65_536;

/** The writer of a path, or null. */
export function createWriteRoutes(control: ControlView): (path: string) => Writer | null {
  const writers: Readonly<Record<string, Writer>> = {
    '/manual': async (request, response) => {
      const body = await readJson(request, MAX_COMMAND_BYTES);
      if (!body.ok) return body.refusal;
      const { status, ...answer } = await control.manual(body.value);
      answerJson(response, status, answer);
      return null;
    },
  };
  return (path) => (Object.hasOwn(writers, path) ? (writers[path] ?? null) : null);
}
