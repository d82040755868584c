/** Arbitrary events of a small world of applications, endpoints and aliases. */
import fc from 'fast-check';
import type { TableEvent } from '../../src/table/events.ts';
import {
  add,
  addAlias,
  addSsl,
  create,
  destroy,
  gear1,
  gear2,
  refuseSsl,
  remove,
  removeAlias,
  removeSsl,
} from './scenery.ts';

export interface World {
  readonly apps: readonly string[];
  readonly endpoints: readonly string[];
  readonly aliases: readonly string[];
}

/** Small, so that events collide. */
export const sharedWorld: World = {
  apps: ['demo/a', 'demo/b', 'test/a'],
  endpoints: ['10.0.0.1:1', '10.0.0.1:2', '10.0.0.2:1', '127.0.0.1:1'],
  // Among them names that are some application's own.
  aliases: ['www.x.test', 'shop.test', 'a-demo.apps.test', 'ha-b-demo.apps.test'],
};

export function eventIn(world: World): fc.Arbitrary<TableEvent> {
  const app = fc.constantFrom(...world.apps);
  const at = fc.constantFrom(...world.endpoints);
  const alias = fc.constantFrom(...world.aliases);
  const gear = fc.constantFrom(gear1, gear2);
  const facts = fc.record({
    gearId: gear,
    types: fc.constantFrom(['load_balancer'], ['web_framework']),
    protocols: fc.constantFrom(['http', 'ws'], ['https', 'wss'], ['tcp']),
  });
  const id = fc.constantFrom('c1', 'c2');
  // Adds are frequent and deletions rare, so that claims and endpoints pile up and collide.
  return fc.oneof(
    { weight: 3, arbitrary: app.map(create) },
    { weight: 1, arbitrary: app.map(destroy) },
    { weight: 8, arbitrary: fc.tuple(app, at, facts).map(([key, where, over]) => add(key, where, over)) },
    {
      weight: 3,
      arbitrary: fc.tuple(app, at, gear).map(([key, where, gearId]) => remove(key, where, gearId)),
    },
    { weight: 8, arbitrary: fc.tuple(app, alias).map(([key, name]) => addAlias(key, name)) },
    { weight: 3, arbitrary: fc.tuple(app, alias).map(([key, name]) => removeAlias(key, name)) },
    { weight: 3, arbitrary: fc.tuple(app, alias, id).map(([key, name, which]) => addSsl(key, name, which)) },
    { weight: 3, arbitrary: fc.tuple(app, alias, id).map(([key, name, code]) => refuseSsl(key, name, code)) },
    { weight: 3, arbitrary: fc.tuple(app, alias).map(([key, name]) => removeSsl(key, name)) },
  );
}
