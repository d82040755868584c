/** Which of the platform's certificates stands first for a name, and which are the defaults. */
import type { PlatformCertificate } from './load-platform.ts';

/** An ECDSA signature costs a thirtieth of an RSA one. Ed25519 is known to few clients, but those that offer it get it. */
const PREFERENCE: Readonly<Record<string, number>> = { ec: 0, ed25519: 1, rsa: 2 };

/** The cheap kinds first; within a kind in the order of the configuration. */
export function byPreference(certificates: readonly PlatformCertificate[]): PlatformCertificate[] {
  const rank = ({ facts }: PlatformCertificate): number => PREFERENCE[facts.keyType] ?? 3;
  return [...certificates].sort((one, other) => rank(one) - rank(other));
}

/**
 * The certificates for names that none is for: those marked so, else the first, with those of other kinds that stand for all of its names.
 * In the order in which they are offered.
 */
export function defaultsAmong(certificates: readonly PlatformCertificate[]): PlatformCertificate[] {
  const marked = certificates.filter(({ isDefault }) => isDefault);
  if (marked.length > 0) return byPreference(marked);
  const [first, ...others] = certificates;
  if (first === undefined) return [];
  const { names } = first.facts;
  const alike = others.filter(
    ({ facts }) => facts.keyType !== first.facts.keyType && names.every((name) => facts.names.includes(name)),
  );
  return byPreference([first, ...alike]);
}

/** The certificate that stands where `former` stood: of the same kind of key, for the same first name. */
export function successorOf(
  { facts }: PlatformCertificate,
  certificates: readonly PlatformCertificate[],
): PlatformCertificate | undefined {
  return certificates.find(
    (one) => one.facts.keyType === facts.keyType && one.facts.names[0] === facts.names[0],
  );
}
