/** Checks of `passThrough` against itself and the listeners. */
import { isIP } from 'node:net';
import { isLoopbackHost } from './addresses.ts';
import type { Config, ListenerConfig } from './schema.ts';

type Say = (path: string, message: string) => void;

export function checkPassThrough(config: Config, refuse: Say, warn: Say): void {
  const { rules } = config.passThrough;
  const { http, https } = config.listeners;
  if (rules.length > 0 && https.length === 0) {
    warn('passThrough.rules', 'has no effect without listeners.https');
  }
  checkRepeated(
    rules.map((rule) => rule.names),
    'passThrough.rules',
    refuse,
  );
  for (const [n, { to = [] }] of rules.entries()) {
    for (const [m, { address, port }] of to.entries()) {
      const path = `passThrough.rules[${n}].to[${m}]`;
      if (isIP(address) === 0) {
        refuse(`${path}.address`, `must be a literal IP address, not ${JSON.stringify(address)}`);
      } else if ([...http, ...https].some((listener) => reaches(listener, address, port))) {
        refuse(path, 'is a listener of this server: a connection would go round for ever');
      }
    }
  }
}

/** Each name may stand in one entry of a list only: which of two would hold is nothing to guess. */
export function checkRepeated(
  lists: readonly (readonly string[])[],
  path: string,
  refuse: Say,
  key = 'names',
): void {
  const taken = new Map<string, string>();
  for (const [n, names] of lists.entries()) {
    for (const [m, name] of names.entries()) {
      const here = `${path}[${n}].${key}[${m}]`;
      const before = taken.get(name);
      if (before !== undefined) refuse(here, `${name} stands in ${before} already`);
      else taken.set(name, here);
    }
  }
}

/** Loopback reaches a listener on every address. Other addresses of this machine are not known here. */
function reaches(listener: ListenerConfig, address: string, port: number): boolean {
  if (listener.port !== port) return false;
  const everywhere = listener.host === '::' || listener.host === '0.0.0.0';
  return (
    listener.host === address || (isLoopbackHost(address) && (everywhere || isLoopbackHost(listener.host)))
  );
}
