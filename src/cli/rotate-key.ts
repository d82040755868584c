/** `headgear rotate-key`: a new master key for the private keys in the store. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_STATE_DIR } from '../config/default-state-dir.ts';
import { loadConfig } from '../config/load.ts';
import { problemText } from '../config/problem.ts';
import type { configSchema } from '../config/schema.ts';
import { bringUnderCurrentKey, takeFormerAway } from '../store/key-care.ts';
import { addNewKey, type KeySource, keySourceOf, loadKeys } from '../store/master-key.ts';
import { openStore } from '../store/open-store.ts';
import { StoreError } from '../store/store-error.ts';
import { silentLog } from '../telemetry/log.ts';
import { type Command, EXIT, type Io, readArguments, UsageError } from './command.ts';

const POLL_MS = 200;

export const rotateKey: Command = {
  name: 'rotate-key',
  help: `Usage: headgear rotate-key [--config FILE] [--wait-seconds N]

Puts a new master key at the head of the key file (masterKey.file, or Headgear's own in the state directory), brings everything in the
store under it, and takes the former key out of the file once nothing uses it. A running Headgear notices the new key and does the
work itself, while it serves; the command waits for it. It may be broken off at any point and given again: it then goes on.

Where the key comes from the environment, set HEADGEAR_MASTER_KEY to the new key, a comma, and the former one, and restart; the log
says when the former one may go.

  --config FILE      the configuration that headgear run uses; without it, the sample's state in ./var
  --wait-seconds N   how long to wait for a running Headgear (default 600)`,
  async run(args, io) {
    const options = {
      config: { type: 'string' },
      'wait-seconds': { type: 'string', default: '600' },
    } as const;
    const { values } = readArguments(args, options, false);
    const waitMs = Number(values['wait-seconds']) * 1_000;
    if (!(waitMs >= 0)) throw new UsageError('--wait-seconds wants a number');
    const config =
      values.config === undefined
        ? { masterKey: {}, stateDir: DEFAULT_STATE_DIR }
        : configured(values.config, io);
    if (config === null) return EXIT.failed;
    const source = keySourceOf(config.masterKey, config.stateDir);
    if (source.kind === 'given') {
      io.err(
        'headgear rotate-key: the key comes from the environment: set HEADGEAR_MASTER_KEY to the new key, a comma, and the former one, and restart',
      );
      return EXIT.failed;
    }
    return rotate(config.stateDir, source, waitMs, io);
  },
};

type FileSource = Extract<KeySource, { kind: 'file' }>;

async function rotate(stateDir: string, source: FileSource, waitMs: number, io: Io): Promise<number> {
  const isNew = await addNewKey(source.path);
  io.out(
    isNew ? `${source.path}: has a new key` : `${source.path}: a rotation was begun before; going on with it`,
  );
  try {
    await rotateAlone(stateDir, source);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'STORE_IN_USE') throw error;
    io.out('a running Headgear uses the store: it brings everything under the new key');
    if (!(await untilOneKey(source, waitMs))) {
      io.err(
        `headgear rotate-key: ${source.path} still has the former key; the log of the running Headgear says why. Nothing is lost: both keys are there`,
      );
      return EXIT.failed;
    }
  }
  if (loadKeys(source).length > 1) {
    io.err(
      `headgear rotate-key: everything is under the new key, but the former one could not be taken out of ${source.path}`,
    );
    return EXIT.failed;
  }
  io.out('everything is under the new key; the former one is gone');
  return EXIT.ok;
}

async function rotateAlone(dir: string, source: FileSource): Promise<void> {
  const log = silentLog;
  // What the configuration keeps no longer is for the running Headgear to drop.
  const unbounded = Number.MAX_SAFE_INTEGER;
  const store = await openStore({
    ...{ dir, masterKey: source, log },
    ...{ maxQuarantined: unbounded, maxQuarantineBytes: unbounded, maxQuarantineAgeMs: unbounded },
  });
  try {
    await bringUnderCurrentKey(store, log, new AbortController().signal);
    await takeFormerAway(store, source, log);
  } finally {
    await store.close();
  }
}

/** The running Headgear takes the former key out when it is done. */
async function untilOneKey(source: FileSource, waitMs: number): Promise<boolean> {
  const end = Date.now() + waitMs;
  while (loadKeys(source).length > 1) {
    if (Date.now() > end) return false;
    await sleep(POLL_MS);
  }
  return true;
}

function configured(file: string, io: Io): ReturnType<typeof configSchema.parse> | null {
  const loaded = loadConfig(file, io.env);
  if (loaded.ok) return loaded.config;
  for (const problem of loaded.problems) io.err(`problem: ${problemText(problem)}`);
  return null;
}
