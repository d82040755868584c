/** What stands around the targets: certificates, the origin. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_CIPHERS } from '../src/certificates/tls-settings.ts';
import { issueCertificate, makeDevelopmentCa } from '../src/pem/development.ts';
import type { Children } from './children.ts';
import { startOrigin } from './origin.ts';
import { HOST, type Scenery } from './targets/target.ts';

export interface PreparedScenery {
  readonly scenery: Scenery;
  readonly caFile: string;
  readonly originTitle: string;
  /** How many requests the origin has seen so far; null where it does not count. */
  readonly countRequests: () => Promise<number | null>;
}

/** Writes a fresh certificate and starts the origin. */
export async function prepareScenery(dir: string, children: Children): Promise<PreparedScenery> {
  const ca = makeDevelopmentCa();
  const issued = issueCertificate({ ca, names: [HOST] });
  const caFile = join(dir, 'ca.pem');
  const files = { certFile: join(dir, 'server.pem'), keyFile: join(dir, 'server.key') };
  writeFileSync(caFile, ca.certificatePem);
  writeFileSync(files.certFile, issued.chainPem);
  writeFileSync(files.keyFile, issued.privateKeyPem, { mode: 0o600 });
  const origin = await startOrigin(children, dir);
  const names = DEFAULT_CIPHERS.split(':');
  const scenery: Scenery = {
    ...files,
    dir,
    children,
    originPort: origin.port,
    nodeOptions: [],
    ciphersuites: names.filter((name) => name.startsWith('TLS_')).join(':'),
    ciphers: names.filter((name) => !name.startsWith('TLS_')).join(':'),
  };
  return { scenery, caFile, originTitle: origin.title, countRequests: origin.requests };
}
