/** Programs of ours on Node that are targets: how they are started, and how they read what they are told. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SecureContextOptions } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { untilConnectable } from '../wait.ts';
import { portPair, type Scenery, type Target, type TargetName } from './target.ts';

/** The one argument of such a program, as JSON. */
interface NodeServerOptions {
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly originPort: number;
  readonly certFile: string;
  readonly keyFile: string;
  readonly ciphers: string;
  readonly accessLog: string;
}

/** Starts `NAME-server.js` beside this file and waits until it listens for TLS, which it does last. */
export async function startNodeServer(
  name: TargetName,
  { dir, children, originPort, certFile, keyFile, ciphers, ciphersuites, nodeOptions }: Scenery,
): Promise<Target & { readonly accessLog: string }> {
  const ports = await portPair();
  const accessLog = join(dir, `${name}-access.log`);
  const options: NodeServerOptions = {
    ...ports,
    originPort,
    certFile,
    keyFile,
    ciphers: `${ciphersuites}:${ciphers}`,
    accessLog,
  };
  const script = fileURLToPath(new URL(`./${name}-server.js`, import.meta.url));
  const child = children.start(name, {
    command: process.execPath,
    args: [...nodeOptions, script, JSON.stringify(options)],
    on: 'proxy',
  });
  await untilConnectable(ports.httpsPort, child);
  return { name, child, ...ports, accessLog };
}

/** The program's end of it. */
export function readNodeServerOptions(): NodeServerOptions & { readonly tls: SecureContextOptions } {
  const options = JSON.parse(process.argv[2] ?? '') as NodeServerOptions;
  return {
    ...options,
    tls: {
      cert: readFileSync(options.certFile),
      key: readFileSync(options.keyFile),
      ciphers: options.ciphers,
      honorCipherOrder: true,
    },
  };
}
