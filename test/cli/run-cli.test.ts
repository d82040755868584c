import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXIT, UsageError } from '../../src/cli/command.ts';
import { explain } from '../../src/cli/explain.ts';
import { runApp } from '../../src/cli/run.ts';
import { runCli } from '../../src/cli/run-cli.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { eventually } from '../support/eventually.ts';
import { memoryIo } from './memory-io.ts';

const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));
const headgear = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });

describe('headgear', () => {
  it('prints help without arguments and for each command', async () => {
    const io = memoryIo();
    assert.equal(await runCli([], io), EXIT.ok);
    const help = io.lines.join('\n');
    for (const command of ['run', 'check', 'publish', 'listen', 'version']) {
      assert.match(help, new RegExp(`^  ${command} `, 'm'));
      const own = memoryIo();
      assert.equal(await runCli([command, '--help'], own), EXIT.ok);
      assert.match(own.lines.join('\n'), new RegExp(`^Usage: headgear ${command}`));
    }
  });

  it('suggests the nearest command and option for a mistyped one', async () => {
    const io = memoryIo();
    assert.equal(await runCli(['lisen'], io), EXIT.usage);
    assert.match(io.errors.join('\n'), /no command "lisen"; did you mean listen\?/);
    assert.equal(await runCli(['run', '--confg', 'x'], io), EXIT.usage);
    assert.match(io.errors.join('\n'), /headgear run: unknown option --confg; did you mean --config\?/);
    assert.equal(await runCli(['frobnicate'], io), EXIT.usage);
    assert.equal(await runCli(['run', '--config'], io), EXIT.usage);
    assert.equal(await runCli(['run', 'file.yaml'], io), EXIT.usage);
    assert.equal(await runCli(['check'], io), EXIT.usage);
    assert.equal(await runCli(['check', 'a', 'b'], io), EXIT.usage);
    assert.deepEqual(io.lines, []);
  });

  it('runs as a program, with its version and exit codes', () => {
    const shown = headgear('version');
    assert.match(shown.stdout, /^headgear \d+\.\d+\.\d+ on Node \d+/);
    assert.equal(shown.status, 0);
    assert.equal(shown.stderr, '');
    const mistyped = headgear('chekc');
    assert.equal(mistyped.status, 2);
    assert.equal(mistyped.stdout, '');
    assert.match(mistyped.stderr, /did you mean check\?/);
    assert.equal(headgear('check', '/nonexistent.yaml').status, 1);
  });
});

describe('headgear check', () => {
  it('prints every problem with its path, or ok', () => {
    const folder = mkdtempSync(join(tmpdir(), 'headgear-cli-'));
    const good = join(folder, 'good.yaml');
    const bad = join(folder, 'bad.yaml');
    writeFileSync(good, 'cloudDomain: apps.example.com\nlisteners: { http: [{ port: 80 }] }\n');
    writeFileSync(bad, 'cloudDomain: 7\nlistners: {}\nlisteners: {}\nadmin: { host: 0.0.0.0 }\n');
    const ok = headgear('check', good);
    assert.equal(ok.status, 0);
    assert.match(ok.stdout, /^warning: neither bus nor intake/);
    assert.match(ok.stdout, /good\.yaml: ok, 1 warning\n$/);
    const failed = headgear('check', bad);
    assert.equal(failed.status, 1);
    for (const path of ['cloudDomain', 'listners', 'admin.host'])
      assert.match(failed.stdout, new RegExp(`^problem: ${path}: `, 'm'));
    assert.match(failed.stdout, /bad\.yaml: 3 problems\n$/);
    rmSync(folder, { recursive: true });
  });

  it('looks at the files that the configuration names', () => {
    const folder = mkdtempSync(join(tmpdir(), 'headgear-cli-'));
    const file = join(folder, 'a.yaml');
    writeFileSync(
      file,
      'cloudDomain: a.b\nlisteners: { https: [{ port: 443 }] }\ntls: { certificates: [{ certFile: a.crt, keyFile: a.key }] }\n',
    );
    assert.match(
      headgear('check', file).stdout,
      /^problem: tls\.certificates\[0\]\.keyFile: .*a\.key does not exist$/m,
    );
    rmSync(folder, { recursive: true });
  });
});

describe('headgear run', () => {
  it('starts by the configuration file, and stops at the first signal', async () => {
    const io = memoryIo();
    const seen: unknown[] = [];
    const ended = runApp(['--config', 'a.yaml'], io, (options) => {
      seen.push(options);
      return Promise.resolve({ stop: async () => void seen.push('stopped') });
    });
    await eventually(() => io.listening() === 1);
    io.signal('SIGTERM');
    assert.equal(await ended, EXIT.ok);
    assert.deepEqual(seen, [{ configFile: 'a.yaml', shadow: false }, 'stopped']);
    assert.equal(io.listening(), 0);
  });

  it('runs on embedded defaults without a configuration file', async () => {
    const io = memoryIo();
    let file: string | null = '?';
    const ended = runApp([], io, ({ configFile }) => {
      file = configFile;
      return Promise.resolve({ stop: () => Promise.resolve() });
    });
    io.signal('SIGINT');
    await ended;
    assert.equal(file, null);
  });

  it('ends at once at the second signal', async () => {
    const io = memoryIo();
    let finish = (): void => undefined;
    const ended = runApp([], io, () =>
      Promise.resolve({
        stop: () =>
          new Promise<void>((resolve) => {
            finish = resolve;
          }),
      }),
    );
    io.signal('SIGINT');
    assert.deepEqual(io.exits, []);
    io.signal('SIGINT');
    assert.deepEqual(io.exits, [EXIT.failed]);
    await eventually(() => {
      finish();
      return io.listening() === 0;
    });
    await ended;
  });

  it('fails with one clear line when a port is in use', async () => {
    const taken = net.createServer().listen(0, '127.0.0.1');
    await eventually(() => taken.listening);
    const { port } = taken.address() as net.AddressInfo;
    const start = () =>
      new Promise<never>((_, reject) => {
        net.createServer().on('error', reject).listen(port, '127.0.0.1');
      });
    const io = memoryIo();
    await assert.rejects(runApp([], io, start), (error) => {
      assert.equal(
        explain(error),
        `port ${port} on 127.0.0.1 is in use: stop what listens there, or choose another port in the configuration`,
      );
      return true;
    });
    taken.close();
  });
});

describe('explain', () => {
  it('says what to do about what commonly goes wrong', () => {
    const failure = (code: string, more: object = {}) => Object.assign(new Error('x'), { code, ...more });
    assert.match(
      explain(failure('EACCES', { syscall: 'listen', port: 80, address: '::' })),
      /^port 80 may not .*1023/,
    );
    assert.match(explain(failure('ENOENT', { path: '/a' })), /^\/a does not exist/);
    assert.match(
      explain(failure('ECONNREFUSED', { port: 1, address: '127.0.0.1' })),
      /^nothing listens on port 1/,
    );
    assert.match(explain(failure('EAFNOSUPPORT', { port: 1, address: '::' })), /0\.0\.0\.0/);
    assert.equal(explain(new Error('plain')), 'plain');
    assert.equal(explain('text'), 'text');
  });

  it('shows a stack only for a mistake of our own', () => {
    assert.match(explain(new TypeError('x is no function')), /at .*run-cli\.test/);
    assert.doesNotMatch(explain(new UsageError('x')), /at /);
  });

  it('lists every problem of a configuration', () => {
    const problems = [
      { path: 'a', message: 'is wrong' },
      { path: 'b.c', message: 'as well' },
    ];
    assert.equal(
      explain(new ConfigError('x.yaml', problems)),
      'x.yaml cannot be used:\n  a: is wrong\n  b.c: as well',
    );
  });
});
