/**
 * Preloaded (`node --import`) into the real program: ends it by SIGKILL at a step of an event's journey. HEADGEAR_TEST_CRASH says which step and at its
 * how-many-eth time, `synced:3`.
 */
import { register } from 'node:module';
import type { createCostly } from '../../src/control/costly.ts';
import type { createPlane } from '../../src/plane/create-plane.ts';
import type { startSubscriber } from '../../src/stomp/subscriber.ts';
import type { openStore } from '../../src/store/open-store.ts';

/** In the order in which an event passes them. `committing`: lmdb's thread has the transaction and may be anywhere in it. */
export const CRASH_STEPS = [
  'received',
  'decoded',
  'sealed',
  'committing',
  'synced',
  'acked',
  'publishing',
  'published',
] as const;
export type CrashStep = (typeof CRASH_STEPS)[number];

const [wanted, count = '1'] = (process.env.HEADGEAR_TEST_CRASH ?? '').split(':');
let left = Number(count);

function pass(step: CrashStep): void {
  if (step !== wanted) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
}

export const wrappers = {
  openStore:
    (real: typeof openStore): typeof openStore =>
    async (options) => {
      const store = await real(options);
      return {
        ...store,
        async commit(batch) {
          pass('sealed');
          const done = store.commit(batch);
          // It begins in a later turn, and takes some milliseconds in another thread.
          if (wanted === 'committing') setTimeout(() => pass('committing'), Math.random() * 4);
          await done;
          pass('synced');
        },
      };
    },
  startSubscriber:
    (real: typeof startSubscriber): typeof startSubscriber =>
    (options) =>
      real({
        ...options,
        deliver(delivery) {
          pass('received');
          options.deliver({
            ...delivery,
            ack() {
              delivery.ack();
              pass('acked');
            },
          });
        },
      }),
  createCostly:
    (real: typeof createCostly): typeof createCostly =>
    (limits, log) => {
      const costly = real(limits, log);
      return {
        ...costly,
        read(body) {
          const decoded = costly.read(body);
          pass('decoded');
          return decoded;
        },
      };
    },
  createPlane:
    (real: typeof createPlane): typeof createPlane =>
    (options) => {
      const plane = real(options);
      return {
        ...plane,
        async apply(changes) {
          pass('publishing');
          const applied = await plane.apply(changes);
          pass('published');
          return applied;
        },
      };
    },
};

if (wanted !== '') register('./crash-hooks.js', import.meta.url);
