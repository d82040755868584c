/** Where node:http2 keeps the streams of a session: in a `Map`, which costs collections of the whole heap (few-map.ts says why). */
import type { Http2Session } from 'node:http2';
import { types } from 'node:util';
import { FewMap } from './few-map.ts';
import { symbolNamed } from './symbol-named.ts';

/**
 * Gives a session that has no streams yet a table without that. By means that Node has but does not document, alike in 20, 22 and 24;
 * false: this Node has it otherwise, and keeps its own.
 */
export function keepStreamsCheaply(session: Http2Session): boolean {
  const inside = session as unknown as Record<symbol, { streams?: unknown } | undefined>;
  const symbol = symbolNamed(session, 'state');
  const state = symbol === undefined ? undefined : inside[symbol];
  const streams = state?.streams;
  // One of the library's own: no prototype of it is a Map's.
  if (state === undefined || !types.isMap(streams) || streams.size > 0) return false;
  state.streams = new FewMap<number, unknown>();
  return true;
}
