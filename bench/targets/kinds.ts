/** Every kind of target, in the order of a round. */
import { bareSocket, http2Static } from './bare-node.ts';
import { caddy } from './caddy.ts';
import { haproxy } from './haproxy.ts';
import { headgear, headgearHttpProxy } from './headgear.ts';
import { nginx } from './nginx.ts';
import { httpProxy, httpxy, undici } from './node-hops.ts';
import type { TargetKind } from './target.ts';

export const TARGET_KINDS: readonly TargetKind[] = [
  headgear,
  nginx,
  haproxy,
  caddy,
  httpProxy,
  httpxy,
  undici,
  headgearHttpProxy,
  http2Static,
  bareSocket,
];
