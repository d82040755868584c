/** The embedded configuration of `npm start`, where no file is given: a sample to play with, on this machine. */
import { networkInterfaces } from 'node:os';
import { resolve } from 'node:path';
import { DEFAULT_STATE_DIR } from './default-state-dir.ts';
import { type Config, configSchema } from './schema.ts';

export interface SampleFiles {
  /** Certificates of the platform, the default first; made by the sample itself. */
  readonly certificates: readonly { readonly certFile: string; readonly keyFile: string }[];
  /** Default: `./var` in the working folder. */
  readonly stateDir?: string;
}

/** Ports of the sample; 0 everywhere in tests. */
export interface SamplePorts {
  readonly http: number;
  readonly https: number;
  readonly admin: number;
  readonly intake: number;
}

const DEFAULT_PORTS: SamplePorts = { http: 8080, https: 8443, admin: 9090, intake: 61613 };

/** HTTP 8080, HTTPS 8443, admin 127.0.0.1:9090, intake 127.0.0.1:61613, applications under apps.example.test. */
export function sampleConfig(files: SampleFiles, ports: SamplePorts = DEFAULT_PORTS): Config {
  const host = anyAddress();
  return configSchema.parse({
    cloudDomain: 'apps.example.test',
    listeners: { http: [{ host, port: ports.http }], https: [{ host, port: ports.https }] },
    admin: { host: '127.0.0.1', port: ports.admin },
    intake: { host: '127.0.0.1', port: ports.intake },
    stateDir: resolve(files.stateDir ?? DEFAULT_STATE_DIR),
    tls: { certificates: files.certificates.map(({ certFile, keyFile }) => ({ certFile, keyFile })) },
    endpoints: { allowLoopbackEndpoints: true },
  });
}

/** `::` (both families), or `0.0.0.0` where this machine has IPv6 switched off and binding `::` would fail. */
export function anyAddress(
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): '::' | '0.0.0.0' {
  const addresses = Object.values(interfaces).flatMap((list) => list ?? []);
  return addresses.some(({ family }) => family === 'IPv6') ? '::' : '0.0.0.0';
}
