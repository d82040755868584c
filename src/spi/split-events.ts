/**
 * Several events in one text, as HTTP and files bring them: a JSON object or a list of them, or YAML, several documents apart by
 * `---`. Each becomes a body of its own, so that what is wrong with one is said of that one, as on the message bus. Pure.
 */
import type { Rejection } from './events.ts';

export interface SplitEvent {
  readonly body: Buffer;
  /** Why it cannot be read as it was meant; null: nothing is known against it. */
  readonly refused: Rejection | null;
}

export type SplitEvents =
  | { readonly ok: true; readonly events: readonly SplitEvent[] }
  | { readonly ok: false; readonly rejection: Rejection };

/** At most `maxEvents`, or all is refused: a sender that cannot count on one half being taken sends less at a time. */
export function splitEvents(text: Buffer, maxEvents: number): SplitEvents {
  const source = text.toString('utf8');
  const json = /^\s*[[{]/.test(source) ? parseJson(source) : undefined;
  const events = json === undefined ? yamlDocuments(source) : jsonEvents(json);
  if (events === null || events.length === 0)
    return refuse('SPI_EMPTY', 'there is no event: send a JSON object, a list of them, or YAML');
  if (events.length <= maxEvents) return { ok: true, events };
  return refuse('SPI_TOO_MANY_EVENTS', `${events.length} events are more than ${maxEvents} at one time`);
}

function refuse(code: string, reason: string): SplitEvents {
  return { ok: false, rejection: { code, reason } };
}

/** undefined: no JSON; YAML has flow maps that look like it. */
function parseJson(source: string): unknown {
  try {
    return JSON.parse(source) as unknown;
  } catch {
    return undefined;
  }
}

function jsonEvents(json: unknown): readonly SplitEvent[] {
  return (Array.isArray(json) ? (json as unknown[]) : [json]).map(jsonEvent);
}

/** A number that JSON.parse may have changed is refused: a gear id of digits would come out as another gear's. */
function jsonEvent(value: unknown): SplitEvent {
  let isExact = true;
  try {
    const text = JSON.stringify(value, (_key, inner: unknown) => {
      if (typeof inner === 'number' && !Number.isSafeInteger(inner)) isExact = false;
      return inner;
    });
    const refused = {
      code: 'SPI_NUMBER_INEXACT',
      reason: 'a number is no exact integer: write it as a string',
    };
    return { body: Buffer.from(text), refused: isExact ? null : refused };
  } catch {
    const refused = { code: 'SPI_TOO_DEEP', reason: 'the event is nested too deeply' };
    return { body: Buffer.alloc(0), refused };
  }
}

/** As YAML parts documents: `---` at the start of a line, a blank or nothing behind it (`-----BEGIN` is none). */
function yamlDocuments(source: string): readonly SplitEvent[] {
  return source
    .split(/^---(?=\s|$)/m)
    .filter((document) => /[^\s]/.test(document.replace(/^#.*$/gm, '').replace(/^\.\.\.\s*$/gm, '')))
    .map((document) => ({
      body: Buffer.from(`---${/^[\s]/.test(document) ? '' : '\n'}${document}`),
      refused: null,
    }));
}
