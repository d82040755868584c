/** What `headgear run` starts: a configured Headgear, or, without a configuration, one with a sample application to play with. */
import { join, resolve } from 'node:path';
import { type Headgear, startHeadgear } from './app.ts';
import { readFolderTrouble } from './config/check-files.ts';
import { ConfigError } from './config/config-error.ts';
import { type SamplePorts, sampleConfig } from './config/defaults.ts';
import { forgetSecrets } from './config/environment.ts';
import { loadConfig } from './config/load.ts';
import type { Config } from './config/schema.ts';
import { shadowOf } from './config/shadow.ts';
import { prepareDevelopmentCertificates } from './sample/development-certificates.ts';
import { sampleAlias, startSampleApplication } from './sample/sample-application.ts';
import { printWelcome } from './sample/welcome.ts';
import { publishBodies } from './stomp/publish.ts';

export interface StartOptions {
  /** Null: the sample. */
  readonly configFile: string | null;
  /** Follows the events without serving; of a configuration file alone. */
  readonly shadow?: boolean;
  /** Of a shadow: in place of `shadow.nginxConfDir`. */
  readonly nginxConfDir?: string;
  /** Of the sample: working folder (default: the current one) and ports. */
  readonly folder?: string;
  readonly ports?: SamplePorts;
  readonly print?: (line: string) => void;
}

/** Starts what the options say; rejects with a `ConfigError` or the system's error. */
export function startApp(options: StartOptions): Promise<Headgear> {
  return options.configFile === null ? startSample(options) : startConfigured(options.configFile, options);
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
  const headgear = await startHeadgear(chosen.config, file, incumbent);
  // For as long as the process lives: what rotates logs says so with SIGHUP.
  process.on('SIGHUP', headgear.reopenLogs);
  for (const { path, message } of loaded.warnings) headgear.log.warn('configuration', { path, message });
  headgear.log.info('ready', { ...headgear.addresses });
  return headgear;
}

const SAMPLE_DOMAIN = 'apps.example.test';

async function startSample({ folder = '.', ports, print = console.log }: StartOptions): Promise<Headgear> {
  const stateDir = resolve(folder, 'var');
  const certificates = prepareDevelopmentCertificates({
    dir: join(resolve(folder), 'certs'),
    domain: SAMPLE_DOMAIN,
    alias: sampleAlias,
  });
  const application = await startSampleApplication({
    domain: SAMPLE_DOMAIN,
    stateDir,
    certificate: certificates.alias,
  });
  try {
    const embedded = sampleConfig({ certificates: [certificates.wildcard], stateDir }, ports);
    const config: Config = {
      ...embedded,
      keepAwake: { ...embedded.keepAwake, enabled: true, port: application.nodeFrontendPort },
    };
    const headgear = await startHeadgear(config, 'the embedded configuration');
    const stop = async (): Promise<void> => {
      await headgear.stop();
      await application.stop();
    };
    try {
      await announce(headgear, application.announce);
      welcome(headgear, certificates.caFile, application.host, print);
    } catch (error) {
      await headgear.stop();
      throw error;
    }
    return { ...headgear, stop };
  } catch (error) {
    await application.stop();
    throw error;
  }
}

/** The sample's events take the way of all events: STOMP, into the intake. */
async function announce(
  { addresses }: Headgear,
  send: (publish: (bodies: readonly Buffer[]) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const { intake } = addresses;
  if (intake === null) throw new Error('the embedded configuration has no intake');
  await send((bodies) =>
    publishBodies({ ...intake, destination: '/queue/routinginfo', bodies, persistent: true }),
  );
}

function welcome({ addresses }: Headgear, caFile: string, host: string, print: (line: string) => void): void {
  const [http, https] = [addresses.http[0], addresses.https[0]];
  if (http === undefined || https === undefined) return;
  printWelcome(
    {
      host,
      haHost: `ha-${host}`,
      http: { host: http.address, port: http.port },
      https: { host: https.address, port: https.port },
      admin: addresses.admin,
      intake: addresses.intake,
      caFile,
    },
    print,
  );
}
