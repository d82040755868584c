/** Checks of `https` against itself and the listeners. */
import { checkRepeated } from './check-pass-through.ts';
import type { Config } from './schema.ts';

type Say = (path: string, message: string) => void;

/** What the browsers' preload lists ask for. */
const MIN_PRELOAD_SECONDS = 31_536_000;

export function checkHttps(config: Config, refuse: Say, warn: Say): void {
  const { rules } = config.https;
  checkRepeated(
    rules.map((rule) => rule.names),
    'https.rules',
    refuse,
  );
  checkRepeated(
    rules.map((rule) => rule.applications),
    'https.rules',
    refuse,
    'applications',
  );
  const policies = [
    { path: 'https', policy: config.https },
    ...rules.map((policy, n) => ({ path: `https.rules[${n}]`, policy })),
  ];
  for (const { path, policy } of policies) {
    const { hsts, redirect } = policy;
    const asks = (hsts ?? 'off') !== 'off' || (redirect ?? 'off') !== 'off';
    if (asks && config.listeners.https.length === 0) warn(path, 'has no effect without listeners.https');
    if (typeof hsts !== 'object' || !hsts.preload) continue;
    if (!hsts.includeSubDomains || hsts.maxAgeSeconds < MIN_PRELOAD_SECONDS) {
      refuse(
        `${path}.hsts.preload`,
        `needs includeSubDomains, and maxAgeSeconds of at least ${MIN_PRELOAD_SECONDS}`,
      );
    }
  }
  for (const [n, { names, applications }] of rules.entries()) {
    if (names.length + applications.length === 0) {
      refuse(`https.rules[${n}]`, 'names nobody: give names or applications');
    }
  }
}
