/** Load of WebSocket messages, each sent when the last one's echo is back. */
import type { Children } from './children.ts';
import type { Loader } from './load.ts';
import { startLoadProcess } from './load-process.ts';

export function startWebSocketLoad(children: Children): Loader {
  return startLoadProcess(children, {
    name: 'websocket',
    title: 'WebSocket echo by a client on node:net',
    script: './load-websocket-process.js',
  });
}
