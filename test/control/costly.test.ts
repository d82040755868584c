import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { createCostly } from '../../src/control/costly.ts';
import { memoryLog } from '../support/memory-telemetry.ts';

const LIMITS = { maxBodyBytes: 1_048_576, maxDepth: 16, maxAliases: 16 };
const rejection = 'SPI_TOO_COMPLEX';

describe('costly work', () => {
  const log = memoryLog();
  const costly = createCostly(LIMITS, log);
  after(() => costly.stop());

  it('on a large body leaves the event loop free while it runs', async () => {
    const text = 'x'.repeat(300_000).replaceAll(/(.{60})/g, '$1\n\n  ');
    const body = Buffer.from(
      `---\n:action: :add_ssl\n:app_name: a\n:namespace: b\n:alias: c.example\n:ssl: ! '${text}'\n:private_key: k\n`,
    );
    let turns = 0;
    let over = false;
    const reading = Promise.resolve(costly.read(body)).then((decoded) => {
      over = true;
      return decoded;
    });
    while (!over) {
      await new Promise((resolve) => setImmediate(resolve));
      turns++;
    }
    assert.equal((await reading).kind, 'event');
    assert.ok(turns > 10, `the loop turned ${turns} times`);
  });

  it('refuses in the other thread as it would here', async () => {
    const decoded = await costly.read(Buffer.from(`---\n${'[a, b],'.repeat(50_000)}`));
    assert.equal(decoded.kind === 'rejected' && decoded.rejection.code, rejection);
    const judged = await costly.judge({
      certificatePem: 'none',
      privateKeyPem: 'none',
      passPhrase: null,
      alias: 'a.example',
      now: 0,
    });
    assert.equal(judged.ok, false);
  });

  it('reads small bodies at once', () => {
    const decoded = costly.read(
      Buffer.from(
        '---\n:action: :create_application\n:app_name: a\n:namespace: b\n:scalable: true\n:ha: false\n',
      ),
    );
    assert.ok(!(decoded instanceof Promise) && decoded.kind === 'event');
  });

  it('rejects what is asked after the stop', async () => {
    const other = createCostly(LIMITS, log);
    await other.stop();
    await assert.rejects(
      other.judge({ certificatePem: '', privateKeyPem: '', passPhrase: null, alias: null, now: 0 }),
    );
  });
});
