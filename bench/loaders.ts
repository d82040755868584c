/** What drives load: each in a process of its own, on the processors that the proxies do not have. */
import type { Children } from './children.ts';
import type { H1LoaderName, Loader } from './load.ts';
import { startAutocannon } from './load-autocannon.ts';
import { findH2Load } from './load-h2load.ts';
import { startWebSocketLoad } from './load-websocket.ts';
import { findWrk } from './load-wrk.ts';
import type { Scenario } from './scenarios.ts';

export interface Loaders {
  /** What drives a scenario; undefined where it is missing. */
  of(scenario: Scenario): Loader | undefined;
  readonly titles: readonly string[];
  /** Sentences about what is not installed. */
  readonly missing: readonly string[];
}

/** Starts those that the scenarios need. `h1`: what drives HTTP/1.1; undefined: wrk, or autocannon where there is none. `dir`: for their files. */
export function startLoaders(
  scenarios: readonly Scenario[],
  h1: H1LoaderName | undefined,
  children: Children,
  dir: string,
): Loaders {
  const loaders = new Map<Scenario['driver'], Loader>();
  const missing: string[] = [];
  const add = (
    driver: Scenario['driver'],
    found: Loader | { readonly missing: string },
    what: string,
  ): void => {
    if ('missing' in found) missing.push(`${what} ${found.missing}`);
    else loaders.set(driver, found);
  };
  const canClose = (): boolean => loaders.get('h1')?.name === 'wrk';
  const needed = new Set(scenarios.map(({ driver }) => driver));
  if (needed.has('h1')) {
    if (h1 !== 'autocannon') add('h1', findWrk(dir), 'load by wrk');
    if (!loaders.has('h1') && h1 !== 'wrk') loaders.set('h1', startAutocannon(children));
  }
  if (needed.has('h2load')) add('h2load', findH2Load(dir), 'every scenario by h2load (HTTP/2, equal load)');
  if (needed.has('websocket')) loaders.set('websocket', startWebSocketLoad(children));
  if (scenarios.some(({ close }) => close) && !canClose())
    missing.push('a new connection for each request, which autocannon cannot do: it needs wrk');
  return {
    of: ({ driver, close }) => (close && !canClose() ? undefined : loaders.get(driver)),
    titles: [...loaders.values()].map(({ title }) => title),
    missing,
  };
}
