/** What every target of the hop bench is given and gives. All do the same work; `check.ts` makes sure of it. */
import { freePort } from '../../test/support/ports.ts';
import type { Child, Children } from '../children.ts';

export const TARGET_NAMES = ['headgear', 'nginx', 'haproxy', 'http-proxy', 'headgear-http-proxy'] as const;
export type TargetName = (typeof TARGET_NAMES)[number];

/** The one host that all targets route to the origin; any other is 404. It is the application's own name in Headgear. */
export const HOST = 'shop-demo.apps.example.test';

export interface Scenery {
  /** For configuration, logs and state of the target. */
  readonly dir: string;
  readonly children: Children;
  readonly originPort: number;
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
  /** A line a request, written within 250 ms of it. */
  readonly accessLog: string;
}

export interface TargetKind {
  readonly name: TargetName;
  /** Name and version for the report, or what has to be installed. */
  find(): { readonly title: string } | { readonly missing: string };
  start(scenery: Scenery): Promise<Target>;
}

/** Two ports for a target. */
export async function portPair(): Promise<{ readonly httpPort: number; readonly httpsPort: number }> {
  return { httpPort: await freePort(), httpsPort: await freePort() };
}
