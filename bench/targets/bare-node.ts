/** Not proxies: what Node itself takes for a part of the work, to compare with. */
import { startNodeServer } from './node-server.ts';
import type { TargetKind, TargetName } from './target.ts';

/** HTTP/2 without a hop. */
export const http2Static = bare('http2-static', 'static answers of node:http2');
/** Connections without HTTP. */
export const bareSocket = bare('bare-socket', 'bare sockets of node:net and node:tls');

function bare(name: TargetName, title: string): TargetKind {
  return {
    name,
    find: () => ({ title: `${title}, Node ${process.version}` }),
    start: async (scenery) => ({ ...(await startNodeServer(name, scenery)), accessLog: null }),
  };
}
