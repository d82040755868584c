import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { heldCertificates } from '../../src/control/first-table.ts';

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
