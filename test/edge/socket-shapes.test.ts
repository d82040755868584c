/** What V8 makes of the options that a socket copies, seen from inside: by a Node with V8's own means switched on. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { meetSocketShapes } from '../../src/edge/socket-shapes.ts';

const MODULE = new URL('../../src/edge/socket-shapes.js', import.meta.url).href;

/** Accepted sockets by the thousand, as Node makes them, and whether the options of the last two are of one class. */
const PROGRAM = `
import net from 'node:net';
import stream from 'node:stream';
import { meetSocketShapes } from ${JSON.stringify(MODULE)};
if (process.argv[1] === 'met') meetSocketShapes();
const Duplex = stream.Duplex;
let last, lastButOne;
stream.Duplex = function (options) {
  [lastButOne, last] = [last, options];
  return Duplex.call(this, options);
};
stream.Duplex.prototype = Duplex.prototype;
class Handle { getAsyncId() { return 1; } readStart() {} setNoDelay() {} close() {} }
for (let n = 0; n < 20_000; n++) {
  new net.Socket({
    handle: new Handle(), allowHalfOpen: true, pauseOnCreate: false, readable: true, writable: true,
    readableHighWaterMark: 16384, writableHighWaterMark: 16384,
  });
}
console.log(%HaveSameMap(last, lastButOne));
`;

function optionsShareClass(how: 'met' | 'new'): boolean {
  const args = ['--allow-natives-syntax', '--input-type=module', '-e', PROGRAM, how];
  return execFileSync(process.execPath, args, { encoding: 'utf8' }).trim() === 'true';
}

describe('the options of accepted sockets', () => {
  it('share one hidden class on this Node', () => {
    assert.equal(optionsShareClass('met'), true);
  });

  it('do so by themselves on every Node but those that are helped', () => {
    assert.equal(optionsShareClass('new'), !process.versions.v8.startsWith('11.'));
  });

  it('are left alone where nothing is to be gained', () => {
    assert.equal(meetSocketShapes('11.3.244.8-node.38'), true);
    assert.equal(meetSocketShapes('12.4.254.21-node.33'), false);
    assert.equal(meetSocketShapes('13.6.233.17-node.55'), false);
  });
});
