/** `npm start` in a fresh folder: what it prints works as it stands. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { Headgear } from '../../src/app.ts';
import { startApp } from '../../src/start-app.ts';
import { startChild } from '../support/child.ts';
import { request } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { headgearHome, PATIENCE_MS, startHeadgearCommand } from '../support/headgear-process.ts';
import { skipWithout } from '../support/parts.ts';

const PACKAGE = new URL('../../../package.json', import.meta.url);
const ANY_PORTS = { http: 0, https: 0, admin: 0, intake: 0 };
const DEFAULT_PORTS = [8080, 8443, 9090, 61_613];

describe('the sample', { skip: skipWithout('curl') }, () => {
  it('prints commands that work, on the first start and on a further one', async (t) => {
    const folder = freshFolder(t);
    const starts: Headgear['addresses'][] = [];
    for (const start of ['first', 'second']) {
      const lines: string[] = [];
      const headgear = await startApp({
        configFile: null,
        folder,
        ports: ANY_PORTS,
        print: (line) => lines.push(line),
      });
      try {
        await t.test(`${start} start`, () => everyCommandWorks(lines, process.cwd()));
        starts.push(headgear.addresses);
        const table = await adminJson(headgear.addresses.admin.port, '/table');
        assert.equal(table.total, 1);
        assert.equal(table.apps[0]?.endpoints.length, 4, 'no endpoint of a former start is left');
        const { quarantined } = (await adminJson(headgear.addresses.admin.port, '/status')).control;
        assert.equal(quarantined, 0);
      } finally {
        await headgear.stop();
      }
    }
    assert.deepEqual(readdirSync(folder).sort(), ['certs', 'var']);
  });

  it('is nowhere to be found where a configuration is given', async (t) => {
    const home = headgearHome({ intake: { port: 0 } });
    t.after(() => home.remove());
    const headgear = await home.start();
    assert.deepEqual(await headgear.apps(), []);
    assert.ok(!existsSync(join(home.folder, 'certs')) && !existsSync(join(home.folder, 'var')));
    assert.doesNotMatch(headgear.child.stdout() + headgear.child.stderr(), /sample|curl/);
    const host = 'demo-sample.apps.example.test';
    assert.equal((await request({ port: headgear.httpPort, host })).status, 404);
    assert.equal(await headgear.stop(), 0);
  });

  it('runs by the real command on the default ports', async (t) => {
    const { scripts } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { scripts: { start: string } };
    assert.match(scripts.start, /&& node dist\/src\/main\.js run$/, 'what npm start runs is what runs here');
    const taken = (await Promise.all(DEFAULT_PORTS.map(isTaken))).indexOf(true);
    if (taken >= 0) {
      t.skip(`port ${DEFAULT_PORTS[taken]} is taken on this machine`);
      return;
    }
    const folder = freshFolder(t);
    const child = await startHeadgearCommand(['run'], { cwd: folder });
    t.after(() => child.end('SIGKILL'));
    const lines = await eventually(
      () => {
        assert.ok(child.running, `the sample did not start:\n${child.stderr()}`);
        return child.stdout().includes('Stop with Ctrl-C') && child.stdout().split('\n');
      },
      'the welcome',
      PATIENCE_MS,
    );
    await everyCommandWorks(lines, folder);
    assert.equal(await child.end('SIGTERM'), 0, child.stderr());
  });
});

/** Runs each printed command in bash, exactly as it was printed. */
async function everyCommandWorks(lines: readonly string[], cwd: string): Promise<void> {
  const commands = lines.filter((line) => line.trimStart().startsWith('curl'));
  assert.ok(commands.length >= 6, lines.join('\n'));
  const outputs = await Promise.all(
    commands.map(async (command) => {
      const child = await startChild('bash', ['-c', `${command} --fail`], { cwd });
      assert.equal(await child.ended, 0, `${command}\n${child.stderr()}`);
      return child.stdout();
    }),
  );
  const count = (pattern: RegExp) => outputs.filter((output) => pattern.test(output)).length;
  assert.ok(count(/^Hello from gear 65a1f00d/) >= 4, 'the application answers by each of its names');
  assert.equal(count(/^data: .*\n(.*\n)*data: /m), 1, 'a stream of events');
  assert.equal(count(/"apps":\[/), 1, 'the table');
  assert.equal(count(/^headgear_requests_total/m), 1, 'metrics');
  assert.equal(count(/./), commands.length, 'no command says nothing');
}

/** What the tests look at. */
interface Answers {
  readonly total: number;
  readonly apps: readonly { readonly endpoints: readonly object[] }[];
  readonly control: { readonly quarantined: number };
}

async function adminJson(port: number, target: string): Promise<Answers> {
  const { body } = await request({ port, target, host: `127.0.0.1:${port}` });
  return JSON.parse(body.toString()) as Answers;
}

function freshFolder(t: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'headgear-sample-')));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** True when somebody listens there. */
function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
