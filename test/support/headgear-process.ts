/** The real program as a child process, `headgear run --config FILE`, with a folder and a state of its own. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { dump } from 'js-yaml';
import type { ControlStatus } from '../../src/control/types.ts';
import type { KeepAwakeResult } from '../../src/probes/types.ts';
import type { SubscriberStatus } from '../../src/stomp/subscriber.ts';
import type { AppView } from '../../src/table/describe.ts';
import { testCa, testCertificate } from './certificates.ts';
import { type Child, type ChildOptions, startChild } from './child.ts';
import { request } from './client.ts';
import type { CrashStep } from './crash-at.ts';
import { eventually } from './eventually.ts';

const CRASH_AT = new URL('./crash-at.js', import.meta.url).href;
const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
/** A loaded machine may take its time; whoever waits for a condition is not slowed down by a generous limit. */
export const PATIENCE_MS = 60_000;
export const CLOUD_DOMAIN = 'apps.example.test';

/** Runs `headgear` with these arguments. */
export function startHeadgearCommand(
  args: readonly string[],
  options: ChildOptions = {},
  nodeArgs: readonly string[] = [],
): Promise<Child> {
  return startChild(process.execPath, [...nodeArgs, MAIN, ...args], options);
}

/** What stays when the process goes: configuration, certificates, state. */
export interface HeadgearHome {
  readonly folder: string;
  /** PEM file of the CA that the platform certificate is under. */
  readonly caFile: string;
  /** Starts the program and resolves once it says that it is ready. One at a time. */
  start(options?: StartOptions): Promise<HeadgearProcess>;
  /** Starts it where it cannot become ready; resolves with its exit code and what it said. */
  startInVain(options?: StartOptions): Promise<{ readonly code: number | null; readonly said: string }>;
  /** Starts it so that it ends by SIGKILL at a step (crash-at.ts), `synced:3`; resolves when it has ended. */
  startToCrash(at: `${CrashStep}:${number}`): Promise<void>;
  /** Kills what still runs and removes the folder. */
  remove(): Promise<void>;
}

export interface StartOptions {
  /** Program and arguments that go on as what follows them: `prlimit`, `setpriv`. */
  readonly through?: readonly string[];
  /** Modules that are preloaded. */
  readonly preload?: readonly string[];
  /** Options of Node itself: for a profile. */
  readonly nodeArgs?: readonly string[];
  /** Beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface HeadgearStatus {
  readonly ready: boolean;
  readonly control: ControlStatus;
  readonly bus: SubscriberStatus | null;
  readonly plane: {
    readonly generation: number;
    readonly hosts: number;
    readonly applications: number;
    readonly pools: number;
    readonly certificates: number;
  };
}

export interface HeadgearProcess {
  readonly child: Child;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly adminPort: number;
  /** 0 where none is configured. */
  readonly intakePort: number;
  /** JSON of an admin path; null for 404. */
  admin<T>(path: string): Promise<T | null>;
  /** The same as text; throws unless 200. */
  adminText(path: string): Promise<string>;
  status(): Promise<HeadgearStatus>;
  /** Every application, sorted by key. */
  apps(): Promise<readonly AppView[]>;
  keepAwake(): Promise<readonly KeepAwakeResult[]>;
  /** Waits until the application (null: there is none) is as wanted and the data plane serves it; resolves with it. */
  untilApp(key: string, wanted: (app: AppView | null) => boolean): Promise<AppView | null>;
  untilStatus(what: string, wanted: (status: HeadgearStatus) => boolean): Promise<HeadgearStatus>;
  accessLines(): readonly string[];
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  kill9(): Promise<void>;
}

interface ReadyLine {
  readonly message: 'ready';
  readonly http: readonly { readonly port: number }[];
  readonly https: readonly { readonly port: number }[];
  readonly admin: { readonly port: number };
  readonly intake: { readonly port: number } | null;
}

/**
 * Writes a configuration file: `config` over listeners on free loopback ports and a wildcard certificate for the cloud domain
 * `apps.example.test`.
 */
export function headgearHome(config: Readonly<Record<string, unknown>> = {}): HeadgearHome {
  const folder = mkdtempSync(join(tmpdir(), 'headgear-journey-'));
  const file = (name: string, content: string) => {
    const path = join(folder, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  const wildcard = testCertificate([`*.${CLOUD_DOMAIN}`]);
  const caFile = file('ca.pem', testCa().certificatePem);
  const certFile = file('wildcard.pem', wildcard.chainPem);
  const keyFile = file('wildcard.key', wildcard.privateKeyPem);
  const loopback = [{ host: '127.0.0.1', port: 0 }];
  const whole = {
    cloudDomain: CLOUD_DOMAIN,
    listeners: { http: loopback, https: loopback },
    admin: { port: 0 },
    stateDir: join(folder, 'state'),
    tls: { certificates: [{ certFile, keyFile }] },
    endpoints: { allowLoopbackEndpoints: true },
    drainTimeoutMs: 5_000,
    ...config,
  };
  const configFile = file('headgear.yaml', dump(whole));
  let child: Child | null = null;
  const startRun = ({
    through = [],
    preload = [],
    nodeArgs = [],
    env = {},
  }: StartOptions = {}): Promise<Child> => {
    const imports = preload.flatMap((url) => ['--import', url]);
    const [program = process.execPath, ...rest] = [
      ...through,
      ...[process.execPath, ...nodeArgs, ...imports, MAIN, 'run', '--config', configFile],
    ];
    return startChild(program, rest, { cwd: folder, env: { ...process.env, ...env } });
  };
  return {
    folder,
    caFile,
    async start(options) {
      assert.ok(child === null || !child.running, 'one process a home');
      child = await startRun(options);
      return whenReady(child);
    },
    async startInVain(options) {
      assert.ok(child === null || !child.running, 'one process a home');
      child = await startRun(options);
      const code = await child.ended;
      return { code, said: child.stderr() };
    },
    async startToCrash(at) {
      assert.ok(child === null || !child.running, 'one process a home');
      child = await startHeadgearCommand(
        ['run', '--config', configFile],
        { cwd: folder, env: { ...process.env, HEADGEAR_TEST_CRASH: at } },
        ['--import', CRASH_AT],
      );
      const code = await child.ended;
      assert.equal(code, null, `it ended by itself:\n${child.stderr()}`);
    },
    async remove() {
      await child?.end('SIGKILL');
      // A process that was killed may leave one that writes a snapshot, for some moments more.
      rmSync(folder, { recursive: true, force: true, maxRetries: 50, retryDelay: 50 });
    },
  };
}

async function whenReady(child: Child): Promise<HeadgearProcess> {
  const ready = await eventually(
    () => {
      assert.ok(child.running, `Headgear did not start:\n${child.stderr()}`);
      return readyLine(child.stderr());
    },
    'the ready line',
    PATIENCE_MS,
  );
  const adminPort = ready.admin.port;
  const adminGet = (path: string) =>
    request({ port: adminPort, host: `127.0.0.1:${adminPort}`, target: path, timeoutMs: PATIENCE_MS });

  async function admin<T>(path: string): Promise<T | null> {
    const answer = await adminGet(path);
    if (answer.status === 404) return null;
    assert.equal(answer.status, 200, `${path}: ${answer.body}`);
    return JSON.parse(answer.body.toString()) as T;
  }
  async function must<T>(path: string): Promise<T> {
    const value = await admin<T>(path);
    assert.ok(value !== null, `${path} answered 404`);
    return value;
  }
  const status = () => must<HeadgearStatus>('/status');
  const untilStatus: HeadgearProcess['untilStatus'] = async (what, wanted) => {
    let last: HeadgearStatus | null = null;
    try {
      return await eventually(
        async () => {
          last = await status();
          if (wanted(last)) return last;
          // To answer is work for a program that has something better to do now.
          await sleep(20);
          return null;
        },
        what,
        PATIENCE_MS,
      );
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}; last: ${JSON.stringify(last)}`);
    }
  };

  return {
    child,
    httpPort: ready.http[0]?.port ?? 0,
    httpsPort: ready.https[0]?.port ?? 0,
    adminPort,
    intakePort: ready.intake?.port ?? 0,
    admin,
    async adminText(path) {
      const answer = await adminGet(path);
      assert.equal(answer.status, 200, `${path}: ${answer.body}`);
      return answer.body.toString();
    },
    status,
    async apps() {
      const { apps } = await must<{ apps: AppView[] }>('/table');
      return apps.sort((a, b) => (a.key < b.key ? -1 : 1));
    },
    keepAwake: async () => (await must<{ targets: KeepAwakeResult[] }>('/keep-awake')).targets,
    async untilApp(key, wanted) {
      const path = `/apps/${key}`;
      await eventually(async () => wanted(await admin<AppView>(path)), `${key} as wanted`, PATIENCE_MS);
      await untilStatus('the generation served', ({ control, plane }) =>
        [control.confirmedGeneration, plane.generation].every((one) => one >= control.generation),
      );
      return admin<AppView>(path);
    },
    untilStatus,
    accessLines: () => child.stdout().split('\n').slice(0, -1),
    stop: () => child.end('SIGTERM'),
    async kill9() {
      await child.end('SIGKILL');
    },
  };
}

function readyLine(stderr: string): ReadyLine | null {
  for (const line of stderr.split('\n').slice(0, -1)) {
    if (!line.includes('"message":"ready"')) continue;
    return JSON.parse(line) as ReadyLine;
  }
  return null;
}
