/**
 * What `headgear run` starts: a configured Headgear, or, without a configuration, one with a sample application to play with. Either is loaded
 * only when it is started: a configured one has its store read meanwhile.
 */
import type { Headgear } from './app.ts';
import { readFolderTrouble } from './config/check-files.ts';
import { ConfigError } from './config/config-error.ts';
import { forgetSecrets } from './config/environment.ts';
import { loadConfig } from './config/load.ts';
import type { Config } from './config/schema.ts';
import { shadowOf } from './config/shadow.ts';
import type { SampleOptions } from './start-sample.ts';
import { beginOpening } from './store/opening.ts';

export interface StartOptions extends SampleOptions {
  /** Null: the sample. */
  readonly configFile: string | null;
  /** Follows the events without serving; of a configuration file alone. */
  readonly shadow?: boolean;
  /** Of a shadow: in place of `shadow.nginxConfDir`. */
  readonly nginxConfDir?: string;
}

/** Starts what the options say; rejects with a `ConfigError` or the system's error. */
export async function startApp(options: StartOptions): Promise<Headgear> {
  if (options.configFile !== null) return startConfigured(options.configFile, options);
  const { startSample } = await import('./start-sample.ts');
  return startSample(options);
}

async function startConfigured(file: string, { shadow, nginxConfDir }: StartOptions): Promise<Headgear> {
  const loaded = loadConfig(file, process.env);
  forgetSecrets(process.env);
  if (!loaded.ok) throw new ConfigError(file, loaded.problems);
  const chosen = shadow === true ? shadowOf(loaded.config, nginxConfDir) : loaded;
  if (!chosen.ok) throw new ConfigError(file, chosen.problems);
  const incumbent = shadow === true ? (chosen.config.shadow.nginxConfDir ?? null) : null;
  const problem = incumbent === null ? null : readFolderTrouble(incumbent);
  if (problem !== null) throw new ConfigError(file, [{ path: 'shadow.nginxConfDir', message: problem }]);
  const headgear = await startBesideReading(chosen.config, file, incumbent);
  // For as long as the process lives: what rotates logs says so with SIGHUP.
  process.on('SIGHUP', headgear.reopenLogs);
  for (const { path, message } of loaded.warnings) headgear.log.warn('configuration', { path, message });
  headgear.log.info('ready', { ...headgear.addresses });
  return headgear;
}

/** The store is read while the program is loaded: that takes as long as a hundred thousand certificates. */
async function startBesideReading(
  config: Config,
  file: string,
  nginxConfDir: string | null,
): Promise<Headgear> {
  const opening = beginOpening(config.stateDir, true);
  try {
    const { startHeadgear } = await import('./app.ts');
    return await startHeadgear(config, file, nginxConfDir, opening);
  } catch (error) {
    await opening?.abandon();
    throw error;
  }
}
