/** node:http and http-proxy with a keep-alive agent, and nothing more than the common work. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { untilConnectable } from '../wait.ts';
import { portPair, type TargetKind } from './target.ts';

export interface HttpProxyOptions {
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly originPort: number;
  readonly certFile: string;
  readonly keyFile: string;
  readonly ciphers: string;
  readonly accessLog: string;
}

export const httpProxy: TargetKind = {
  name: 'http-proxy',
  find: () => ({ title: `http-proxy 1.18 on node:http, Node ${process.version}` }),
  async start({ dir, children, originPort, certFile, keyFile, ciphers, ciphersuites }) {
    const ports = await portPair();
    const accessLog = join(dir, 'http-proxy-access.log');
    const options: HttpProxyOptions = {
      ...ports,
      originPort,
      certFile,
      keyFile,
      ciphers: `${ciphersuites}:${ciphers}`,
      accessLog,
    };
    const script = fileURLToPath(new URL('./http-proxy-server.js', import.meta.url));
    const child = children.start('http-proxy', {
      command: process.execPath,
      args: [script, JSON.stringify(options)],
      on: 'proxy',
    });
    await untilConnectable(ports.httpsPort, child);
    return { name: 'http-proxy', child, ...ports, accessLog };
  },
};
