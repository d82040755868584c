/**
 * A process that holds a store, for the tests that kill it. Speaks in lines on stdout, each about something already true.
 * - `hold DIR`: opens the store, says `open`, stays.
 * - `write DIR`: commits application after application, each with its certificate, saying each number once durable.
 * - `fill DIR`: commits until a commit is refused (the caller limits the file size), then shows that the store lives on.
 * - `rotate DIR`: brings everything under the current key of `DIR.key`, saying each step, and takes the former key away.
 */
import { writeSync } from 'node:fs';
import { takeFormerAway } from '../../src/store/key-care.ts';
import { messageOf, StoreError } from '../../src/store/store-error.ts';
import { memoryLog } from '../support/memory-telemetry.ts';
import { application, batch, certificate, openTestStore } from './samples.ts';

const [mode, dir] = process.argv.slice(2);
if (dir === undefined) throw new Error('which directory?');

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

try {
  const source = { kind: 'file', path: `${dir}.key`, own: false } as const;
  const store = await openTestStore(dir, mode === 'rotate' ? { masterKey: source } : {});
  if (mode === 'rotate') {
    for (let step = await store.reseal(); !step.done; step = await store.reseal()) say(String(step.resealed));
    say('done');
    await takeFormerAway(store, source, memoryLog());
    await store.close();
    say('closed');
  } else if (mode === 'hold') {
    say('open');
    setInterval(() => {}, 1_000);
  } else if (mode === 'write') {
    for (let number = store.recover().generation + 1; ; number++) {
      const app = application(`app${number}`);
      await store.commit(
        batch({
          apps: [[app.key, app]],
          certificates: [
            { app: app.key, alias: 'foo.example.com', certificate: certificate(String(number)) },
          ],
          nextClaim: number,
          generation: number,
        }),
      );
      say(String(number));
    }
  } else {
    const keyPem = 'k'.repeat(20_000);
    for (let number = 1; ; number++) {
      const app = application(`app${number}`);
      const certificates = Array.from({ length: 20 }, (_, index) => ({
        app: app.key,
        alias: `a${index}.example`,
        certificate: certificate(String(number), keyPem),
      }));
      try {
        await store.commit(batch({ apps: [[app.key, app]], certificates, generation: number }));
        say(`committed ${number}`);
      } catch (error) {
        say(`refused ${number} ${error instanceof StoreError ? error.code : ''} ${messageOf(error)}`);
        say(`seen ${store.recover().apps.length} ${store.recover().generation}`);
        say(`certificate ${store.certificate(app.key, 'a0.example') === null ? 'absent' : 'present'}`);
        break;
      }
    }
    const small = application('small');
    await store.commit(batch({ apps: [[small.key, small]], generation: 1_000_000 }));
    say(`small committed, ${store.recover().apps.length} seen`);
    await store.close();
    say('closed');
  }
} catch (error) {
  say(`failed ${error instanceof StoreError ? error.code : ''} ${messageOf(error)}`);
  process.exit(1);
}
