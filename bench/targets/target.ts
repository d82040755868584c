/** What every target of the bench is given and gives. All proxies do the same work; `check.ts` makes sure of it. */
import { freePort } from '../../test/support/ports.ts';
import type { Child, Children } from '../children.ts';

export const TARGET_NAMES = [
  'headgear',
  'nginx',
  'haproxy',
  'caddy',
  'http-proxy',
  'httpxy',
  'undici',
  'headgear-http-proxy',
  // Not proxies, but what Node itself takes for a part of the work.
  'http2-static',
  'bare-socket',
] as const;
export type TargetName = (typeof TARGET_NAMES)[number];

/** The one host that all targets route to the origin; any other is 404. It is the application's own name in Headgear. */
export const HOST = 'shop-demo.apps.example.test';

export interface Scenery {
  /** For configuration, logs and state of the target. */
  readonly dir: string;
  readonly children: Children;
  readonly originPort: number;
  /** For targets that are Node, in front of the script. */
  readonly nodeOptions: readonly string[];
  readonly certFile: string;
  readonly keyFile: string;
  /** OpenSSL names, those of TLS 1.3 apart. */
  readonly ciphers: string;
  readonly ciphersuites: string;
}

export interface Target {
  readonly name: TargetName;
  /** Its CPU is that of this process and its descendants. */
  readonly child: Child;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** A line a request, written within 250 ms of it; null for what is no proxy. */
  readonly accessLog: string | null;
}

export interface TargetKind {
  readonly name: TargetName;
  /** Name and version for the report, or what has to be installed. */
  find(): { readonly title: string } | { readonly missing: string };
  start(scenery: Scenery): Promise<Target>;
}

/** Kept connections to the origin, the same for all: no target is to dial where another does not have to. */
export const KEPT_TO_ORIGIN = 1_024;

/** Two ports for a target. */
export async function portPair(): Promise<{ readonly httpPort: number; readonly httpsPort: number }> {
  return { httpPort: await freePort(), httpsPort: await freePort() };
}
