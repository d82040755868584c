/** What holds for every sequence of events. The shared world collides on purpose. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { appKeyOf } from '../../src/spi/events.ts';
import type { TableEvent } from '../../src/table/events.ts';
import { project, projectAll } from '../../src/table/project.ts';
import { recoverState } from '../../src/table/recover-state.ts';
import { emptyState, type RoutingState } from '../../src/table/state.ts';
import { transition } from '../../src/table/transition.ts';
import { eventIn, sharedWorld, type World } from './arbitrary-events.ts';
import {
  applyChanges,
  destroy,
  emptyTable,
  load,
  muchLater,
  plain,
  policy,
  retired,
  same,
  stateAfter,
  step,
  tableOf,
} from './scenery.ts';

const eventsIn = (world: World) => fc.array(eventIn(world), { maxLength: 40 });
const events = eventsIn(sharedWorld);
const check = <T extends unknown[]>(
  ...args: [...{ [K in keyof T]: fc.Arbitrary<T[K]> }, (...v: T) => void]
) =>
  fc.assert(fc.property(...(args as unknown as [fc.Arbitrary<T[0]>, (v: T[0]) => void])), { numRuns: 300 });

test('the same state reference comes back exactly when nothing changed, and a rejection changes nothing', () => {
  check<[TableEvent[]]>(events, (list) => {
    let state: RoutingState = emptyState;
    for (const event of list) {
      state = retired(state);
      const next = step(state, event, policy);
      const kept =
        next.state.nextClaim === state.nextClaim &&
        next.state.tombstones.equals(state.tombstones) &&
        next.buried.length === 0;
      assert.equal(next.state === state, kept && same(next.state, state));
      if (next.rejection !== null) assert.equal(next.state, state);
      state = next.state;
    }
  });
});

test('touched names every application whose record changed, and no other', () => {
  check<[TableEvent[]]>(events, (list) => {
    let state: RoutingState = emptyState;
    for (const event of list) {
      state = retired(state);
      const next = step(state, event, policy);
      for (const key of sharedWorld.apps) {
        const differs = state.apps.get(key) !== next.state.apps.get(key);
        assert.equal(next.touched.includes(key), differs, `${event.action} ${key}`);
      }
      state = next.state;
    }
  });
});

test('each event applied twice in a row is as good as once', () => {
  check<[TableEvent[]]>(events, (list) => {
    assert.ok(same(stateAfter(list.flatMap((event) => [event, event])), stateAfter(list)));
  });
});

/** Endpoints of an application as a set: an endpoint that changed hands to and fro comes back at the end of the list. */
function settled(state: RoutingState): unknown {
  const sorted = recoverState(
    [...state.apps.values()].map((app) => ({
      ...app,
      endpoints: app.endpoints.toSorted((a, b) =>
        `${a.address}:${a.port}` < `${b.address}:${b.port}` ? -1 : 1,
      ),
      aliases: app.aliases.toSorted((a, b) => (a.alias < b.alias ? -1 : 1)),
    })),
    state.nextClaim,
    policy,
  );
  return plain(sorted);
}

test('redelivery of the latest events, in order, ends in the same state', () => {
  check<[TableEvent[], number]>(events, fc.nat(40), (list, from) => {
    const redelivered = list.slice(from);
    // The one exception: of two claims on one alias, the one that was taken back and made again in the redelivered
    // part counts as younger afterwards (see addAlias). It takes an alias that two applications hold.
    const retakes = redelivered.some(
      ({ action }) => action === 'remove_alias' || action === 'delete_application',
    );
    const once = stateAfter(list);
    const collides = [...once.names.values()].some(({ aliases }) => aliases.length > 1);
    fc.pre(!(retakes && collides));
    assert.deepEqual(settled(stateAfter(redelivered, once)), settled(once));
  });
});

test('the indexes are always those that the records alone would give', () => {
  check<[TableEvent[]]>(events, (list) => {
    const state = stateAfter(list);
    assert.deepEqual(plain(recoverState(state.apps.values(), state.nextClaim, policy)), plain(state));
  });
});

test('the whole table at once is what its applications come to one by one', () => {
  check<[TableEvent[]]>(events, (list) => {
    const state = stateAfter(list);
    const atOnce = applyChanges(emptyTable(), projectAll(state, policy, load));
    assert.deepEqual(
      atOnce,
      applyChanges(emptyTable(), project(emptyState, state, state.apps.keys(), policy, load)),
    );
  });
});

test('applications with nothing in common do not touch each other: interleaved or apart, the records are the same', () => {
  const worlds: readonly World[] = ['one', 'two'].map((ns, i) => ({
    apps: [`${ns}/a`, `${ns}/b`],
    endpoints: [`10.0.${i}.1:1`, `10.0.${i}.1:2`],
    aliases: [`www.${ns}.test`, `shop.${ns}.test`],
  }));
  const [first, second] = worlds;
  assert.ok(first && second);
  const steps = fc.array(fc.oneof(eventIn(first), eventIn(second)), { maxLength: 60 });
  check<[TableEvent[]]>(steps, (list) => {
    const all = stateAfter(list);
    for (const world of worlds) {
      const apart = stateAfter(list.filter((event) => world.apps.includes(appKeyOf(event.app))));
      const pick = (state: RoutingState) => {
        const table = tableOf(state);
        return world.apps.map((key) => [
          state.apps.get(key)?.endpoints.map(({ replacedAt, ...facts }) => facts),
          state.apps.get(key)?.aliases.map(({ claim, replacedAt, ...record }) => record),
          table.apps.get(key),
          [...table.hosts].filter(([, route]) => (route as { app: string }).app === key).sort(),
        ]);
      };
      assert.deepEqual(pick(all), pick(apart));
    }
  });
});

test('an event changes another application’s record only by taking over its endpoint', () => {
  check<[TableEvent[]]>(events, (list) => {
    let state: RoutingState = emptyState;
    for (const event of list) {
      state = retired(state);
      const next = step(state, event, policy);
      const others = next.touched.filter((key) => key !== appKeyOf(event.app));
      if (others.length > 0) {
        assert.equal(event.action, 'add_public_endpoint');
        assert.ok(next.findings.some(({ code }) => code === 'TABLE_ENDPOINT_TAKEN_OVER'));
      }
      state = next.state;
    }
  });
});

test('a deleted application leaves nothing: the rest is as if it had only ever taken what it took', () => {
  check<[TableEvent[]]>(events, (list) => {
    const deleted = stateAfter(sharedWorld.apps.map(destroy), stateAfter(list));
    assert.ok(same(deleted, emptyState));
    const state = stateAfter([...list, destroy('demo/a')]);
    assert.equal(JSON.stringify(plain(state)).includes('"demo/a"'), false);
    for (const part of Object.values(tableOf(state))) {
      assert.equal(JSON.stringify([...(part as Map<string, unknown>)]).includes('"demo/a"'), false);
    }
  });
});

test('every published host leads to a living, published application', () => {
  check<[TableEvent[]]>(events, (list) => {
    const state = stateAfter(list);
    const table = tableOf(state);
    for (const [host, route] of table.hosts) {
      const { app } = route as { app: string };
      assert.ok(state.apps.has(app), host);
      assert.ok(table.apps.has(app), host);
    }
    for (const host of table.certificates.keys()) assert.ok(table.hosts.has(host), host);
  });
});

test('the changes of each event, applied one after another, make the table that the whole state makes', () => {
  check<[TableEvent[], number]>(events, fc.integer({ min: 1, max: 5 }), (list, batch) => {
    const rules = { ...policy, nodeFrontend: { ...policy.nodeFrontend, applications: { 'demo/a': true } } };
    const table = emptyTable();
    let state: RoutingState = emptyState;
    for (let at = 0; at < list.length; at += batch) {
      const before = state;
      const touched: string[] = [];
      for (const event of list.slice(at, at + batch)) {
        const next = transition(state, event, rules, muchLater());
        state = next.state;
        touched.push(...next.touched);
      }
      applyChanges(table, project(before, state, touched, rules, load));
    }
    const ids = (certificates: Map<string, unknown>) =>
      new Map([...certificates].map(([host, one]) => [host, (one as { id: string }).id]));
    const whole = tableOf(state, rules);
    assert.deepEqual([table.apps, table.hosts], [whole.apps, whole.hosts]);
    assert.deepEqual(ids(table.certificates), ids(whole.certificates));
  });
});
