/**
 * What an event changed in the records, item by item, so that a journal costs what changed and not what the records hold; and how to
 * take it back. Certificates appear by fingerprint alone, as the records hold them: no key and no pass phrase can get here.
 */
import type { AppKey } from '../spi/events.ts';
import { endpointKey } from './address-policy.ts';
import { heldAlias, type ShownAlias, shownAlias } from './shown-alias.ts';
import type { AliasRecord, Application, EndpointKey, EndpointRecord, RoutingState } from './state.ts';

/** An application's record without what has items of its own. */
export type ApplicationHead = Omit<Application, 'key' | 'endpoints' | 'aliases'>;

/** `before` null: it appeared; `after` null: it went. */
export type RecordChange =
  | {
      readonly kind: 'application';
      readonly app: AppKey;
      readonly before: ApplicationHead | null;
      readonly after: ApplicationHead | null;
    }
  | {
      readonly kind: 'endpoint';
      readonly app: AppKey;
      readonly endpoint: EndpointKey;
      readonly before: EndpointRecord | null;
      readonly after: EndpointRecord | null;
      readonly place?: Place;
    }
  | {
      readonly kind: 'alias';
      readonly app: AppKey;
      readonly alias: string;
      readonly before: ShownAlias | null;
      readonly after: ShownAlias | null;
      readonly place?: Place;
    };

/** Of what went, or was changed and put to the end: how many of those that stayed stood before it. Absent in older journals. */
type Place = number;

/** Everything that differs between two states in the records of `touched`. */
export function recordChanges(
  before: RoutingState,
  after: RoutingState,
  touched: readonly AppKey[],
): readonly RecordChange[] {
  const changes: RecordChange[] = [];
  for (const app of touched) {
    const was = before.apps.get(app);
    const is = after.apps.get(app);
    if (was === is) continue;
    if (!sameHead(was, is))
      changes.push({ kind: 'application', app, before: headOf(was), after: headOf(is) });
    for (const [endpoint, difference] of differences(was?.endpoints, is?.endpoints, keyOf))
      changes.push({ kind: 'endpoint', app, endpoint, ...difference });
    for (const [alias, difference] of differences(was?.aliases, is?.aliases, aliasOf))
      changes.push({ kind: 'alias', app, alias, ...inEach(difference, shownAlias) });
  }
  return changes;
}

/** The record as it was before a change of it; what comes back goes to where it stood. Changes of one event are taken back last first. */
export function undoChange(app: Application | null, change: RecordChange): Application | null {
  if (change.kind === 'application') {
    if (change.before === null) return null;
    const { endpoints = [], aliases = [] } = app ?? {};
    return { ...change.before, key: change.app, endpoints, aliases };
  }
  const record = app ?? bareApplication(change.app);
  return change.kind === 'endpoint'
    ? {
        ...record,
        endpoints: replaced(record.endpoints, change, (one) => keyOf(one) === change.endpoint),
      }
    : {
        ...record,
        aliases: replaced(record.aliases, inEach(change, heldAlias), (one) => one.alias === change.alias),
      };
}

interface Difference<T> {
  readonly before: T | null;
  readonly after: T | null;
  readonly place?: Place;
}

/**
 * Items that differ between two lists, by what comes before and after them being the very same objects. What left its place comes first, in
 * its order, so that who takes it all back, last first, puts each before those that were behind it.
 */
function differences<T>(
  before: readonly T[] = [],
  after: readonly T[] = [],
  keyOfItem: (item: T) => string,
): readonly (readonly [string, Difference<T>])[] {
  if (before === after) return [];
  let start = 0;
  while (start < before.length && before[start] === after[start]) start += 1;
  let [endBefore, endAfter] = [before.length, after.length];
  while (endBefore > start && endAfter > start && before[endBefore - 1] === after[endAfter - 1]) {
    endBefore -= 1;
    endAfter -= 1;
  }
  const old = new Map(
    before.slice(start, endBefore).map((item, at) => [keyOfItem(item), { item, at }] as const),
  );
  const moved = new Map<string, T>();
  const stayed = new Set<string>();
  const others: (readonly [string, Difference<T>])[] = [];
  let last = -1;
  for (const item of after.slice(start, endAfter)) {
    const key = keyOfItem(item);
    const was = old.get(key);
    if (was === undefined) others.push([key, { before: null, after: item }]);
    else if (was.item !== item && was.at < last) moved.set(key, item);
    else if (was.item !== item) others.push([key, { before: was.item, after: item }]);
    if (was === undefined || moved.has(key)) continue;
    last = Math.max(last, was.at);
    stayed.add(key);
  }
  const found: (readonly [string, Difference<T>])[] = [];
  let place = start;
  for (const [key, { item }] of old) {
    if (stayed.has(key)) place += 1;
    else found.push([key, { before: item, after: moved.get(key) ?? null, place }]);
  }
  return [...found, ...others];
}

function inEach<T, U>({ before, after, ...rest }: Difference<T>, make: (item: T) => U): Difference<U> {
  return {
    ...rest,
    before: before === null ? null : make(before),
    after: after === null ? null : make(after),
  };
}

/** Takes a change of one item back. */
function replaced<T>(
  items: readonly T[],
  { before, after, place }: Difference<T>,
  isIt: (item: T) => boolean,
): readonly T[] {
  const at = items.findIndex(isIt);
  if (before === null) return at === -1 ? items : items.toSpliced(at, 1);
  if (at === -1) return items.toSpliced(place ?? items.length, 0, before);
  if (after === null || place === undefined) return items.with(at, before);
  return items.toSpliced(at, 1).toSpliced(place, 0, before);
}

function headOf(app: Application | undefined): ApplicationHead | null {
  if (app === undefined) return null;
  const { key: _, endpoints: __, aliases: ___, ...head } = app;
  return head;
}

function sameHead(a: Application | undefined, b: Application | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.scalable === b.scalable && a.ha === b.ha && a.headGearId === b.headGearId && a.ghost === b.ghost;
}

/** Stands in where a journal begins in the middle of an application's life. */
function bareApplication(key: AppKey): Application {
  const [namespace = '', appName = ''] = key.split('/');
  return { key, appName, namespace, scalable: null, ha: null, headGearId: null, endpoints: [], aliases: [] };
}

function keyOf({ address, port }: EndpointRecord): EndpointKey {
  return endpointKey(address, port);
}

function aliasOf({ alias }: AliasRecord): string {
  return alias;
}
