/**
 * What `headgear run` starts: a configured Headgear, or, without a configuration, one with a sample application to play with. Either is loaded
 * only when it is started: a configured one has its store read meanwhile.
 */
import type { Headgear } from './app.ts';
import { readFolderTrouble } from './config/check-files.ts';
import { ConfigError } from './config/config-error.ts';
import { forgetSecrets } from './config/environment.ts';
import type { Problem } from './config/problem.ts';
import { stateDirAhead } from './config/read-document.ts';
import type { Config } from './config/schema.ts';
import type { SampleOptions } from './start-sample.ts';
import { beginOpening } from './store/opening.ts';
import { growYoungGenerationAtOnce } from './young-generation.ts';

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
  growYoungGenerationAtOnce();
  if (options.configFile !== null) return startConfigured(options.configFile, options);
  const { startSample } = await import('./start-sample.ts');
  return startSample(options);
}

/** The store is read while the configuration is judged and the program loaded: that takes as long as a hundred thousand certificates. */
async function startConfigured(file: string, options: StartOptions): Promise<Headgear> {
  const dir = options.shadow === true ? null : stateDirAhead(file);
  const ahead = dir === null ? null : { dir, opening: beginOpening(dir, true) };
  let opening = ahead?.opening ?? null;
  try {
    const { config, warnings, nginxConfDir } = await goodConfig(file, options);
    if (config.stateDir !== ahead?.dir) {
      await opening?.abandon();
      opening = beginOpening(config.stateDir, true);
    }
    const { startHeadgear } = await import('./app.ts');
    const headgear = await startHeadgear(config, file, nginxConfDir, opening);
    // For as long as the process lives: what rotates logs says so with SIGHUP.
    process.on('SIGHUP', headgear.reopenLogs);
    for (const { path, message } of warnings) headgear.log.warn('configuration', { path, message });
    headgear.log.info('ready', { ...headgear.addresses });
    return headgear;
  } catch (error) {
    await opening?.abandon();
    throw error;
  }
}

interface Good {
  readonly config: Config;
  readonly warnings: readonly Problem[];
  /** Of a shadow. */
  readonly nginxConfDir: string | null;
}

/** Rejects with a `ConfigError`. */
async function goodConfig(file: string, { shadow, nginxConfDir }: StartOptions): Promise<Good> {
  const [{ loadConfig }, { shadowOf }] = await Promise.all([
    import('./config/load.ts'),
    import('./config/shadow.ts'),
  ]);
  const loaded = loadConfig(file, process.env);
  forgetSecrets(process.env);
  if (!loaded.ok) throw new ConfigError(file, loaded.problems);
  const chosen = shadow === true ? shadowOf(loaded.config, nginxConfDir) : loaded;
  if (!chosen.ok) throw new ConfigError(file, chosen.problems);
  const incumbent = shadow === true ? (chosen.config.shadow.nginxConfDir ?? null) : null;
  const problem = incumbent === null ? null : readFolderTrouble(incumbent);
  if (problem !== null) throw new ConfigError(file, [{ path: 'shadow.nginxConfDir', message: problem }]);
  return { config: chosen.config, warnings: loaded.warnings, nginxConfDir: incumbent };
}
