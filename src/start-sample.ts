/** What `headgear run` starts without a configuration: one with a sample application to play with, which stands outside of it. */
import { join, resolve } from 'node:path';
import { type Headgear, startHeadgear } from './app.ts';
import { type SamplePorts, sampleConfig } from './config/defaults.ts';
import type { Config } from './config/schema.ts';
import { prepareDevelopmentCertificates } from './sample/development-certificates.ts';
import { sampleAlias, startSampleApplication } from './sample/sample-application.ts';
import { printWelcome } from './sample/welcome.ts';
import { publishBodies } from './stomp/publish.ts';

const SAMPLE_DOMAIN = 'apps.example.test';

export interface SampleOptions {
  /** Working folder (default: the current one). */
  readonly folder?: string;
  readonly ports?: SamplePorts;
  readonly print?: (line: string) => void;
}

/** Starts both; rejects with the system's error. */
export async function startSample({
  folder = '.',
  ports,
  print = console.log,
}: SampleOptions): Promise<Headgear> {
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
