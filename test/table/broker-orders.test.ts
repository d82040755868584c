/**
 * Histories as OpenShift's broker produces them (domain.md 1.3), delivered as it may deliver them (1.4): interleaved between applications,
 * repeated, and with neighbours of one operation swapped. The end is that of the true order; the exceptions have names.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { appKeyOf } from '../../src/spi/events.ts';
import type { TableEvent } from '../../src/table/events.ts';
import { emptyState, type RoutingState } from '../../src/table/state.ts';
import { transition } from '../../src/table/transition.ts';
import {
  add,
  addAlias,
  addSsl,
  create,
  destroy,
  policy,
  remove,
  removeAlias,
  removeSsl,
  retired,
  tableOf,
} from './scenery.ts';

/** One operation of the broker: events that follow each other within a second. */
type Operation = readonly TableEvent[];

/** What the broker knows of an application, enough to produce only what it could. */
interface Known {
  exists: boolean;
  /** Port -> edition of its cartridge. */
  readonly endpoints: Map<string, number>;
  /** Alias -> number of its certificate, 0: none. */
  readonly aliases: Map<string, number>;
  certificates: number;
}

type Wish =
  | { readonly kind: 'create' | 'delete' | 'scaleUp' | 'scaleDown' | 'move' | 'upgrade' }
  | { readonly kind: 'alias' | 'secureAlias' | 'replace' | 'uncover' | 'unalias'; readonly alias: string }
  | { readonly kind: 'failedCreate' };

const webType = (edition: number) => ({ types: ['load_balancer'], cartridge: `haproxy-1.${edition}` });

/** The events of a wish, or none where the broker would not have it. */
function operation(app: string, known: Known, wish: Wish, fresh: () => string): Operation {
  if (wish.kind === 'create' || wish.kind === 'failedCreate') {
    if (known.exists) return [];
    const [web, proxy] = [fresh(), fresh()];
    const events = [create(app), add(app, web, { types: ['web_framework'] }), add(app, proxy, webType(0))];
    if (wish.kind === 'failedCreate') return [...events, remove(app, proxy), remove(app, web), destroy(app)];
    known.exists = true;
    known.endpoints.set(proxy, 0);
    return events;
  }
  if (!known.exists) return [];
  const [first] = known.endpoints.keys();
  switch (wish.kind) {
    case 'delete': {
      const removes = [...known.endpoints.keys()].map((at) => remove(app, at));
      known.exists = false;
      known.endpoints.clear();
      known.aliases.clear();
      return [...removes, destroy(app)];
    }
    case 'scaleUp': {
      const [at, tcp] = [fresh(), fresh()];
      known.endpoints.set(at, 0);
      return [add(app, at, webType(0)), add(app, tcp, { protocols: ['tcp'], types: ['web_framework'] })];
    }
    case 'scaleDown':
      if (first === undefined) return [];
      known.endpoints.delete(first);
      return [remove(app, first)];
    case 'move': {
      const moved = [...known.endpoints].map(([at, edition]) => [at, fresh(), edition] as const);
      known.endpoints.clear();
      for (const [, to, edition] of moved) known.endpoints.set(to, edition);
      return [
        ...moved.map(([, to, edition]) => add(app, to, webType(edition))),
        ...moved.map(([from]) => remove(app, from)),
      ];
    }
    case 'upgrade': {
      if (first === undefined) return [];
      const edition = (known.endpoints.get(first) ?? 0) + 1;
      known.endpoints.set(first, edition);
      return [remove(app, first), add(app, first, webType(edition))];
    }
    default:
      return 'alias' in wish ? aliasOperation(app, known, wish.kind, wish.alias) : [];
  }
}

function aliasOperation(app: string, known: Known, kind: string, alias: string): Operation {
  const held = known.aliases.get(alias);
  const next = () => {
    known.certificates += 1;
    return `${app}#${alias}#${known.certificates}`;
  };
  if (kind === 'alias' || kind === 'secureAlias') {
    if (held !== undefined) return [];
    const id = kind === 'alias' ? null : next();
    known.aliases.set(alias, id === null ? 0 : 1);
    return id === null ? [addAlias(app, alias)] : [addAlias(app, alias), addSsl(app, alias, id)];
  }
  if (held === undefined) return [];
  const covered = held > 0 ? [removeSsl(app, alias)] : [];
  if (kind === 'unalias') {
    known.aliases.delete(alias);
    return [...covered, removeAlias(app, alias)];
  }
  known.aliases.set(alias, kind === 'replace' ? 1 : 0);
  return kind === 'replace' ? [...covered, addSsl(app, alias, next())] : covered;
}

const apps = ['demo/a', 'demo/b', 'test/a'] as const;

function historyOf(wishes: readonly (readonly [number, Wish])[]): readonly Operation[] {
  const known = apps.map(
    (): Known => ({ exists: false, endpoints: new Map(), aliases: new Map(), certificates: 0 }),
  );
  let port = 20_000;
  const fresh = () => {
    port += 1;
    return `10.0.0.1:${port}`;
  };
  return wishes.flatMap(([index, wish]) => {
    const [app, facts] = [apps[index], known[index]];
    if (app === undefined || facts === undefined) return [];
    // Aliases of their own: who wins a shared one depends on the true order, see below.
    const own = 'alias' in wish ? { ...wish, alias: `${wish.alias}.${app.replace('/', '-')}.test` } : wish;
    const events = operation(app, facts, own, fresh);
    return events.length === 0 ? [] : [events];
  });
}

const wish: fc.Arbitrary<Wish> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: 'create' } as const) },
  { weight: 1, arbitrary: fc.constantFrom({ kind: 'delete' } as const, { kind: 'failedCreate' } as const) },
  {
    weight: 5,
    arbitrary: fc
      .constantFrom('scaleUp' as const, 'scaleDown' as const, 'move' as const, 'upgrade' as const)
      .map((kind) => ({ kind })),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'alias' as const,
        'secureAlias' as const,
        'replace' as const,
        'replace' as const,
        'uncover' as const,
        'unalias' as const,
      ),
      alias: fc.constantFrom('www', 'shop'),
    }),
  },
);
const histories = fc
  .array(fc.tuple(fc.nat(apps.length - 1), wish), { minLength: 5, maxLength: 40 })
  .map(historyOf);

/** Between operations on one application: users are slower than the swap window, and quicker than most graces. */
const betweenOperationsMs = 20_000;
const betweenEventsMs = 100;

/** Delivers operation after operation; `deliver` may reorder or repeat within one. */
function after(
  history: readonly Operation[],
  deliver: (events: Operation) => readonly TableEvent[],
): RoutingState {
  let state: RoutingState = emptyState;
  let at = 1_000_000;
  for (const events of history) {
    at += betweenOperationsMs;
    for (const event of deliver(events)) {
      at += betweenEventsMs;
      state = retireDue(state, at);
      state = transition(state, event, policy, { at, sentAt: null }).state;
    }
  }
  return retired(state);
}

function retireDue(state: RoutingState, now: number): RoutingState {
  let next = state;
  for (const { appName, namespace, aliases } of state.apps.values()) {
    for (const { alias, retiresAt } of aliases) {
      if (retiresAt === undefined || retiresAt > now) continue;
      const event: TableEvent = { action: 'retire_ssl', app: { appName, namespace }, alias, retiresAt };
      next = transition(next, event, policy, { at: now, sentAt: null }).state;
    }
  }
  return next;
}

/** What clients see: hosts with their owners and certificates, endpoints as sets. */
function served(state: RoutingState): unknown {
  const table = tableOf(state);
  const sorted = (entries: Iterable<readonly [string, unknown]>) =>
    [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    hosts: sorted(table.hosts),
    certificates: sorted(table.certificates),
    apps: sorted([...table.apps]).map(([key, route]) => [
      key,
      (route as { endpoints: readonly { id: string }[] }).endpoints.map(({ id }) => id).sort(),
    ]),
  };
}

/**
 * Swapped neighbours that cannot be told from their true order by anything that the events say. Each is shown below to be one.
 * `tombstone`: the application was deleted not long before.
 */
function exceptionOf(first: TableEvent, second: TableEvent, tombstone: boolean): string | null {
  if (first.action === 'create_application' && second.action.startsWith('add_') && tombstone) {
    return 'a first add that overtakes the re-creation of a deleted application is late, and waits in quarantine';
  }
  if (first.action === 'add_alias' && second.action === 'remove_alias') return 'a rolled back alias stays';
  if (first.action === 'add_public_endpoint' && second.action === 'remove_public_endpoint') {
    const { address, port } = first.endpoint;
    return address === second.address && port === second.port ? 'a rolled back endpoint stays' : null;
  }
  if (first.action === 'create_application' && second.action === 'delete_application') {
    return 'a rolled back application stays, with nothing but its name';
  }
  return null;
}

function swapped(events: Operation, index: number, dead: ReadonlySet<string>): Operation {
  const at = events.length < 2 ? -1 : index % (events.length - 1);
  const [first, second] = [events[at], events[at + 1]];
  if (first === undefined || second === undefined) return events;
  if (exceptionOf(first, second, dead.has(appKeyOf(first.app))) !== null) return events;
  return events.with(at, second).with(at + 1, first);
}

/** Follows which applications were deleted before, as `exceptionOf` asks. */
function undertaker(): (events: Operation) => ReadonlySet<string> {
  const dead = new Set<string>();
  return (events) => {
    const before = new Set(dead);
    for (const event of events) if (event.action === 'delete_application') dead.add(appKeyOf(event.app));
    return before;
  };
}

test('scenario 11: swapped neighbours of any operation end as the true order does', () => {
  fc.assert(
    fc.property(histories, fc.array(fc.nat(), { minLength: 1, maxLength: 10 }), (history, seeds) => {
      const deadBefore = undertaker();
      let turn = 0;
      const state = after(history, (events) =>
        swapped(events, seeds[turn++ % seeds.length] ?? 0, deadBefore(events)),
      );
      assert.deepEqual(served(state), served(after(history, (events) => events)));
    }),
    { numRuns: 400 },
  );
});

test('scenario 6: events that are repeated at once, swapped neighbours among them, end as the true order does', () => {
  fc.assert(
    fc.property(histories, fc.array(fc.nat(7), { minLength: 1, maxLength: 10 }), (history, seeds) => {
      const deadBefore = undertaker();
      let turn = 0;
      const state = after(history, (events) => {
        const seed = seeds[turn++ % seeds.length] ?? 0;
        const dead = deadBefore(events);
        const order = seed > 3 ? swapped(events, seed, dead) : events;
        return order.flatMap((event, i) => ((seed + i) % 2 === 0 ? [event, event] : [event]));
      });
      assert.deepEqual(served(state), served(after(history, (events) => events)));
    }),
    { numRuns: 400 },
  );
});

test('scenario 53: however the operations of different applications are interleaved, each ends as if it were alone', () => {
  fc.assert(
    fc.property(histories, fc.array(fc.nat(), { minLength: 1, maxLength: 20 }), (history, seeds) => {
      const queues = apps.map((app) =>
        history.filter(([event]) => event !== undefined && appKeyOf(event.app) === app),
      );
      const shuffled: Operation[] = [];
      for (let turn = 0; queues.some((queue) => queue.length > 0); turn += 1) {
        const waiting = queues.filter((queue) => queue.length > 0);
        const next = waiting[(seeds[turn % seeds.length] ?? 0) % waiting.length]?.shift();
        if (next !== undefined) shuffled.push(next);
      }
      assert.deepEqual(served(after(shuffled, (e) => e)), served(after(history, (e) => e)));
    }),
    { numRuns: 300 },
  );
});

test('scenario 38: an alias that moves between applications ends with the right route and certificate, whichever neighbours are swapped', () => {
  const www = 'www.shop.test';
  const before = [create('demo/a'), create('demo/b'), addAlias('demo/a', www), addSsl('demo/a', www, 'a')];
  const moving = [
    removeSsl('demo/a', www),
    removeAlias('demo/a', www),
    addAlias('demo/b', www),
    addSsl('demo/b', www, 'b'),
  ];
  const expected = served(after([before, moving], (e) => e));
  for (const order of permutations(moving)) {
    // Events of one application in their own order, or those two swapped that the broker may swap: all of them, here.
    assert.deepEqual(
      served(after([before, order], (e) => e)),
      expected,
      order.map(({ action }) => action).join(' '),
    );
  }
});

test('scenario 24: a port that changes hands ends with its new owner, in either order', () => {
  const at = '10.0.0.1:1';
  const before = [add('demo/a', at), create('demo/b')];
  const expected = served(after([before, [remove('demo/a', at), add('demo/b', at)]], (e) => e));
  assert.deepEqual(served(after([before, [add('demo/b', at), remove('demo/a', at)]], (e) => e)), expected);
});

test('the exceptions are real: each ends differently, and no more harmfully than its name says', () => {
  const www = 'www.shop.test';
  const at = '10.0.0.1:1';
  const pairs: readonly (readonly [Operation, TableEvent, TableEvent])[] = [
    [[create('demo/a')], addAlias('demo/a', www), removeAlias('demo/a', www)],
    [[create('demo/a')], add('demo/a', at), remove('demo/a', at)],
    [[], create('demo/a'), destroy('demo/a')],
    [[create('demo/a'), destroy('demo/a')], create('demo/a'), add('demo/a', at)],
  ];
  for (const [before, first, second] of pairs) {
    assert.ok(exceptionOf(first, second, true), `${first.action} ${second.action}`);
    const truth = served(after([before, [first, second]], (e) => e));
    assert.notDeepEqual(served(after([before, [second, first]], (e) => e)), truth);
  }
  // Not told from a mere repetition: the same certificate or endpoint, announced anew by remove and add.
  const cert = [addAlias('demo/a', www), addSsl('demo/a', www, 'c')];
  const again = [removeSsl('demo/a', www), addSsl('demo/a', www, 'c')];
  assert.notDeepEqual(
    served(after([cert, again.toReversed()], (e) => e)),
    served(after([cert, again], (e) => e)),
    'the same certificate uploaded again',
  );
  const same = [remove('demo/a', at), add('demo/a', at)];
  assert.notDeepEqual(
    served(after([[add('demo/a', at)], same.toReversed()], (e) => e)),
    served(after([[add('demo/a', at)], same], (e) => e)),
    'the same endpoint announced again',
  );
});

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length <= 1) return [items];
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}
