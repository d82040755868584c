/**
 * A process that holds a store, for the tests that kill it. Speaks in lines on stdout, each about something already true.
 * - `hold DIR`: opens the store, says `open`, stays.
 * - `write DIR`: commits application after application, each with its certificate, saying each number once durable.
 * - `fill DIR`: commits until a commit is refused (the caller limits the file size), then shows that the store lives on.
 */
import { writeSync } from 'node:fs';
import { messageOf, StoreError } from '../../src/store/store-error.ts';
import { application, batch, certificate, openTestStore } from './samples.ts';

const [mode, dir] = process.argv.slice(2);
if (dir === undefined) throw new Error('which directory?');

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

try {
  const store = await openTestStore(dir);
  if (mode === 'hold') {
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
        certificate: { id: String(number), chainPem: '', keyPem },
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
