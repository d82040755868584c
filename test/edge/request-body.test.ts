/** The midst of a request's body on its way past the cutting. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RequestBody } from '../../src/edge/request-body.ts';
import { type RequestHead, readRequestHead } from '../../src/http/request-head.ts';

function bodyBehind(fields: string): RequestBody {
  const limits = { maxTargetBytes: 100, maxHeaders: 10 };
  const head = readRequestHead(`POST / HTTP/1.1\r\nHost: shop.test\r\n${fields}`, limits);
  assert.ok(!('code' in head), JSON.stringify(head));
  return RequestBody.after(head as RequestHead) ?? assert.fail('no body');
}

describe('the midst of a body', () => {
  it('is passed on as it is, but never its last bytes nor what comes behind them', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.array(fc.integer({ min: 1, max: 200 })),
        (length, cuts) => {
          const body = bodyBehind(`Content-Length: ${length}\r\n`);
          const passed: number[] = [];
          const exchange = { passesBytes: true, pass: (view: Buffer) => void passed.push(view.length) };
          let left = length;
          for (const cut of cuts) {
            const midst = cut < left;
            assert.equal(body.pass(Buffer.alloc(cut), exchange), midst);
            if (midst) left -= cut;
          }
          assert.equal(
            passed.reduce((sum, size) => sum + size, 0),
            length - left,
          );
          assert.equal(body.whole, false);
          const slices: Buffer[] = [];
          assert.equal(body.take(Buffer.alloc(left + 7), slices), left);
          assert.equal(body.whole, true);
        },
      ),
    );
  });

  it('is not passed on while the gear has no room, without a gear, or in chunks', () => {
    const pass = (): never => assert.fail('nothing may be passed');
    const body = bodyBehind('Content-Length: 100\r\n');
    assert.equal(body.pass(Buffer.alloc(10), { passesBytes: false, pass }), false);
    assert.equal(body.pass(Buffer.alloc(10), null), false);
    const chunked = bodyBehind('Transfer-Encoding: chunked\r\n');
    assert.equal(chunked.pass(Buffer.alloc(10), { passesBytes: true, pass }), false);
  });
});
