/** Checks of `clientCertificates` against itself, `passThrough` and the listeners. */
import { checkRepeated } from './check-pass-through.ts';
import type { Config } from './schema.ts';

type Say = (path: string, message: string) => void;

export function checkClientCertificates(config: Config, refuse: Say, warn: Say): void {
  const { rules } = config.clientCertificates;
  if (rules.length > 0 && config.listeners.https.length === 0) {
    warn('clientCertificates.rules', 'has no effect without listeners.https');
  }
  checkRepeated(
    rules.map((rule) => rule.names),
    'clientCertificates.rules',
    refuse,
  );
  const undecrypted = new Set(config.passThrough.rules.flatMap((rule) => rule.names));
  for (const [n, { names }] of rules.entries()) {
    for (const [m, name] of names.entries()) {
      const parent = `*${name.slice(name.indexOf('.'))}`;
      if (undecrypted.has(name) || (!name.startsWith('*') && undecrypted.has(parent))) {
        refuse(
          `clientCertificates.rules[${n}].names[${m}]`,
          `${name} is passed through undecrypted (passThrough.rules): nobody would be asked for a certificate`,
        );
      }
    }
  }
}
