import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { checkFiles } from '../../src/config/check-files.ts';
import { anyAddress, sampleConfig } from '../../src/config/defaults.ts';
import { loadConfig } from '../../src/config/load.ts';
import { nearest } from '../../src/config/nearest.ts';
import { problemText } from '../../src/config/problem.ts';
import { stateDirAhead } from '../../src/config/read-document.ts';
import type { Config } from '../../src/config/schema.ts';
import { validateConfig } from '../../src/config/validate.ts';

const MINIMAL = 'cloudDomain: apps.example.com\nlisteners:\n  http: [{ port: 80 }]\n';
const BUS = `${MINIMAL}bus:\n  hosts: [{ host: bus-1 }]\n  destination: /queue/routinginfo\n`;

let folder = '';
const write = (name: string, text: string, mode = 0o600): string => {
  const file = join(folder, name);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
};
const load = (file: string, env: Record<string, string> = {}): Config => {
  const loaded = loadConfig(file, env);
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.map(problemText).join('\n'));
  return loaded.config;
};
const problemsOf = (file: string, env: Record<string, string> = {}): string[] => {
  const loaded = loadConfig(file, env);
  return loaded.ok ? [] : loaded.problems.map(problemText);
};
const warningsOf = (file: string, env: Record<string, string> = {}): string[] =>
  loadConfig(file, env).warnings.map(problemText);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headgear-config-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('loadConfig', () => {
  it('reads YAML and JSON', () => {
    assert.equal(load(write('a.yaml', MINIMAL)).listeners.http[0]?.port, 80);
    const json = JSON.stringify({ cloudDomain: 'apps.example.com', listeners: { http: [{ port: 81 }] } });
    assert.equal(load(write('a.json', json)).listeners.http[0]?.port, 81);
  });

  it('takes relative paths from the folder of the file', () => {
    mkdirSync(join(folder, 'secret'));
    write('secret/passcode', 's3cret\n');
    const text = `${BUS}  passcodeFile: secret/passcode
  login: routinginfo
stateDir: state
log: { file: log/headgear.log }
accessLog: { file: /var/log/access.log }
tls: { certificates: [{ certFile: a.crt, keyFile: ../a.key }] }
`;
    const config = load(write('a.yaml', text));
    assert.equal(config.stateDir, join(folder, 'state'));
    assert.equal(config.log.file, join(folder, 'log/headgear.log'));
    assert.equal(config.accessLog.file, '/var/log/access.log');
    assert.equal(config.tls.certificates[0]?.keyFile, join(folder, '..', 'a.key'));
    assert.equal(config.bus?.passcode, 's3cret');
  });

  it('says where the state is going to be before it is judged, and nothing where it will not be good', () => {
    const json = { cloudDomain: 'apps.example.com', listeners: { http: [{ port: 81 }] }, stateDir: '../up' };
    const files = [
      write('a.yaml', `${MINIMAL}stateDir: state # here\n`),
      write('b.yaml', `\uFEFF${MINIMAL}stateDir: "/var/lib/head\\x67ear"\n`),
      write('c.yaml', MINIMAL),
      write('d.json', JSON.stringify(json)),
    ];
    for (const file of files) assert.equal(stateDirAhead(file), load(file).stateDir, file);
    assert.equal(stateDirAhead(join(folder, 'none.yaml')), null);
    for (const text of ['{', 'text', 'stateDir: [a]', 'stateDir: 7'])
      assert.equal(stateDirAhead(write('bad.yaml', `${text}\n`)), null, text);
  });

  it('leaves the words stderr, stdout and off alone', () => {
    const config = load(write('a.yaml', `${BUS}accessLog: { file: 'off' }\n`));
    assert.equal(config.log.file, 'stderr');
    assert.equal(config.accessLog.file, 'off');
    assert.equal(load(write('b.yaml', BUS)).accessLog.file, 'stdout');
  });

  it('lets the environment override, so that no secret has to be in the file', () => {
    const file = write('a.yaml', `${BUS}  login: from-file\n  passcodeFile: missing\n`);
    const config = load(file, {
      HEADGEAR_BUS_LOGIN: 'from-env',
      HEADGEAR_BUS_PASSCODE: 's3cret',
      HEADGEAR_LOG_LEVEL: 'debug',
    });
    assert.equal(config.bus?.login, 'from-env');
    assert.equal(config.bus?.passcode, 's3cret');
    assert.equal(config.log.level, 'debug');
  });

  it('validates what comes from the environment', () => {
    assert.match(
      problemsOf(write('a.yaml', BUS), { HEADGEAR_LOG_LEVEL: 'loud' }).join(),
      /^log\.level: must be one of/,
    );
  });

  it('warns of variables that have no effect or are mistyped', () => {
    const file = write('a.yaml', BUS);
    assert.deepEqual(warningsOf(file, { HEADGEAR_INTAKE_PASSCODE: 'x' }), [
      'HEADGEAR_INTAKE_PASSCODE: has no effect: the configuration has no intake',
    ]);
    assert.deepEqual(warningsOf(file, { HEADGEAR_BUS_PASCODE: 'x' }), [
      'HEADGEAR_BUS_PASCODE: unknown environment variable; did you mean HEADGEAR_BUS_PASSCODE?',
    ]);
  });

  it('warns of a passcode in a file that everybody can read', () => {
    const text = `${BUS}  login: a\n  passcode: b\n`;
    assert.match(warningsOf(write('open.yaml', text, 0o644)).join(), /everybody on this machine can read it/);
    assert.deepEqual(warningsOf(write('closed.yaml', text, 0o640)), []);
  });

  it('says which line of the file is no YAML, in one line', () => {
    const [problem, ...others] = problemsOf(write('a.yaml', 'cloudDomain: [a\nb: c\n'));
    assert.deepEqual(others, []);
    assert.match(problem ?? '', /^is not valid YAML: .*\(\d+:\d+\)/);
  });

  it('refuses a key that is given twice', () => {
    assert.match(problemsOf(write('a.yaml', `${MINIMAL}cloudDomain: b.example.com\n`)).join(), /duplicate/i);
  });

  it('reports a file or passcode file that is not there', () => {
    assert.deepEqual(problemsOf(join(folder, 'none.yaml')), [`${folder}/none.yaml does not exist`]);
    assert.match(
      problemsOf(write('a.yaml', `${BUS}  login: a\n  passcodeFile: nope\n`)).join(),
      /^bus\.passcodeFile: .*nope does not exist/,
    );
    assert.match(problemsOf(folder).join(), /cannot be read/);
  });

  it('reports an empty file', () => {
    assert.equal(problemsOf(write('a.yaml', '')).length, 1);
    assert.equal(problemsOf(write('b.yaml', '# nothing\n')).length, 1);
  });
});

describe('checkFiles', () => {
  it('finds nothing wrong where everything is there', () => {
    write('a.crt', 'x', 0o644);
    write('a.key', 'x', 0o600);
    const config = load(
      write('a.yaml', `${BUS}tls: { certificates: [{ certFile: a.crt, keyFile: a.key }] }\n`),
    );
    assert.deepEqual(checkFiles(config), { problems: [], warnings: [] });
  });

  it('names every file that is missing or no file, with its path', () => {
    mkdirSync(join(folder, 'b.crt'));
    const config = load(
      write(
        'a.yaml',
        `${BUS}tls: { certificates: [{ certFile: a.crt, keyFile: a.key }, { certFile: b.crt, keyFile: b.key }] }
stateDir: a.yaml/var
log: { file: nowhere/headgear.log }
`,
      ),
    );
    const problems = checkFiles(config).problems.map(problemText);
    assert.deepEqual(
      problems.map((problem) => problem.split(':')[0]),
      [
        'stateDir',
        'tls.certificates[0].certFile',
        'tls.certificates[0].keyFile',
        'tls.certificates[1].certFile',
        'tls.certificates[1].keyFile',
        'log.file',
      ],
    );
    assert.match(problems.join('\n'), /b\.crt is not a file/);
  });

  it('warns of a private key that everybody can read', () => {
    write('a.crt', 'x');
    write('a.key', 'x', 0o644);
    const config = load(
      write('a.yaml', `${BUS}tls: { certificates: [{ certFile: a.crt, keyFile: a.key }] }\n`),
    );
    assert.match(
      checkFiles(config).warnings.map(problemText).join(),
      /^tls\.certificates\[0\]\.keyFile: everybody/,
    );
  });
});

describe('sampleConfig', () => {
  it('is a valid configuration on the ports that the README names', () => {
    const config = sampleConfig({
      certificates: [{ certFile: '/a.crt', keyFile: '/a.key' }],
      stateDir: folder,
    });
    const validated = validateConfig(config);
    assert.ok(validated.ok);
    assert.deepEqual(validated.warnings, []);
    assert.equal(config.listeners.http[0]?.port, 8080);
    assert.equal(config.listeners.https[0]?.port, 8443);
    assert.equal(config.intake?.host, '127.0.0.1');
    assert.ok(config.endpoints.allowLoopbackEndpoints);
  });

  it('listens on both families, or on IPv4 alone where IPv6 is switched off', () => {
    const address = { address: '127.0.0.1', netmask: '255.0.0.0', mac: '', internal: true, cidr: null };
    assert.equal(anyAddress({ lo: [{ ...address, family: 'IPv4' }] }), '0.0.0.0');
    assert.equal(anyAddress({ lo: [{ ...address, address: '::1', family: 'IPv6', scopeid: 0 }] }), '::');
    assert.equal(anyAddress({}), '0.0.0.0');
  });
});

describe('nearest', () => {
  it('suggests what was meant and nothing far-fetched', () => {
    assert.equal(nearest('lsiten', ['listen', 'publish']), 'listen');
    assert.equal(nearest('PUBLISH', ['listen', 'publish']), 'publish');
    assert.equal(nearest('frobnicate', ['listen', 'publish']), null);
    assert.equal(nearest('', ['listen']), null);
  });
});
