/**
 * Where node:http2 keeps the streams of a session: in a `Map`, and while they are made in a `Set`, which cost collections of the whole heap
 * (few-map.ts says why).
 */
import type { Http2Session } from 'node:http2';
import { types } from 'node:util';
import { FewMap } from './few-map.ts';
import { FewSet } from './few-set.ts';
import { symbolNamed } from './symbol-named.ts';

interface SessionState {
  streams?: unknown;
  pendingStreams?: unknown;
}

/**
 * Gives a session that has no streams yet tables without that. By means that Node has but does not document, alike in 20, 22 and 24;
 * false: this Node has it otherwise, and keeps its own.
 */
export function keepStreamsCheaply(session: Http2Session): boolean {
  const inside = session as unknown as Record<symbol, SessionState | undefined>;
  const symbol = symbolNamed(session, 'state');
  const state = symbol === undefined ? undefined : inside[symbol];
  // Of the library's own kinds: no prototype of theirs is a Map's or a Set's.
  if (state === undefined || !types.isMap(state.streams) || !types.isSet(state.pendingStreams)) return false;
  if (state.streams.size + state.pendingStreams.size > 0) return false;
  state.streams = new FewMap<number, unknown>();
  state.pendingStreams = new FewSet<unknown>();
  return true;
}
