import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { liveBufferBytes } from '../support/live-memory.ts';
import { Http2Fuzzer } from './http2-sequences.ts';

const SEED = 20_260;
const CONNECTIONS = 80;
const GROWTH_BYTES = 4 * 1_048_576;

let fuzzer: Http2Fuzzer;
before(async () => {
  fuzzer = await Http2Fuzzer.start();
});
after(() => fuzzer.stop());

it('clients that send any frames of HTTP/2 are let go, others are served meanwhile, and memory returns', async () => {
  // The first ones warm up what stays.
  await fuzzer.run(SEED, 40);
  const before = liveBufferBytes();
  await fuzzer.run(SEED + 40, CONNECTIONS);
  const grown = liveBufferBytes() - before;
  assert.ok(grown < GROWTH_BYTES, `${grown} bytes more are held`);
});
