import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { heldCertificates, prepareTable } from '../../src/control/first-table.ts';
import type { HeldCertificate } from '../../src/store/types.ts';
import { projectAll } from '../../src/table/project.ts';
import { addAlias, addSsl, policy, stateAfter } from '../table/scenery.ts';

const names = fc.uniqueArray(
  fc.tuple(fc.stringMatching(/^[ab]{1,3}$/), fc.stringMatching(/^[*a-c.]{1,4}$/)),
  {
    selector: (name) => name.join(' '),
    maxLength: 60,
  },
);

test('each certificate that lies in order is found under its application and alias, and nothing else is', () => {
  fc.assert(
    fc.property(names, fc.nat(60), (list, present) => {
      const there = list.slice(0, present);
      const entries = there
        .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
        .map(([app, alias]) => [app, alias, { id: `${app} ${alias}`, sealed: Buffer.alloc(1) }] as const);
      const find = heldCertificates(entries);
      for (const [app, alias] of list) {
        const isThere = there.some(([a, x]) => a === app && x === alias);
        assert.equal(find(app, alias)?.id, isThere ? `${app} ${alias}` : undefined);
      }
    }),
  );
});

const state = stateAfter([
  ...[addAlias('demo/a', 'www.x.test'), addSsl('demo/a', 'www.x.test', 'c1')],
  ...[addAlias('demo/b', 'www.x.test'), addSsl('demo/b', 'www.x.test', 'c2')],
  ...[addAlias('demo/b', 'two.x.test'), addSsl('demo/b', 'two.x.test', 'c3')],
  addSsl('demo/c', 'unannounced.test', 'c4'),
]);
const sealed = (id: string): Buffer => Buffer.from(`sealed ${id}`);
const held = (app: string, alias: string, id: string): HeldCertificate => [
  ...([app, alias] as const),
  { id, sealed: sealed(id) },
];
const all = [
  held('demo/a', 'www.x.test', 'c1'),
  held('demo/b', 'two.x.test', 'c3'),
  held('demo/b', 'www.x.test', 'c2'),
  held('demo/c', 'unannounced.test', 'c4'),
];

function preparedOf(...parts: readonly (readonly HeldCertificate[])[]) {
  const prepared = prepareTable([...state.apps.values()], policy);
  for (const part of parts) prepared?.take(part);
  return prepared?.certificates();
}

test('certificates that come bit by bit make the table that looking them up makes', () => {
  const expected = projectAll(state, policy, (_app, _alias, id) => sealed(id)).certificates;
  assert.deepEqual(
    expected.map(([host, certificate]) => [host, certificate?.id]),
    [
      ['www.x.test', 'c2'],
      ['two.x.test', 'c3'],
    ],
  );
  for (const cut of [0, 1, 2, 3, 4]) {
    const found = preparedOf(all.slice(0, cut), all.slice(cut));
    assert.deepEqual(new Map(found), new Map(expected), `cut at ${cut}`);
  }
});

test('a certificate that is missing, unknown, another one or damaged makes no table: whoever looks them up finds out', () => {
  assert.equal(preparedOf(all.slice(1)), null);
  assert.equal(preparedOf([...all, held('demo/b', 'gone.test', 'c9')]), null);
  assert.equal(preparedOf([...all, held('demo/gone', 'gone.test', 'c9')]), null);
  assert.equal(preparedOf([...all.slice(1), held('demo/a', 'www.x.test', 'c9')]), null);
  const broken = function* (): Generator<HeldCertificate> {
    yield* all;
    throw new Error('cannot be read');
  };
  const prepared = prepareTable([...state.apps.values()], policy);
  prepared?.take(broken());
  assert.equal(prepared?.certificates(), null);
});
