/** In what two tables differ for one host. Pure. */
import type { FollowedHost } from '../sources/nginx-follow.ts';
import type { OwnHost } from './own-hosts.ts';

export type DeviationKind = 'missing' | 'extra' | 'endpoint-missing' | 'endpoint-extra' | 'certificate';

/** One difference, as small as it can be told: each lasts and ends by itself. */
export interface Deviation {
  readonly kind: DeviationKind;
  /** The endpoint, or both fingerprints; '' where the kind says it all. */
  readonly subject: string;
}

/** Turns what nginx dials into what Headgear would dial for it (`endpoints.addressMap`). */
export type DialText = (address: string, port: number) => string;

/**
 * A host that neither sends anywhere is served alike by both, whether they know it or not. Plain names of applications are no difference where
 * nginx does not know them: the routing daemon never made them, and all of them would be one (domain.md 2.1).
 */
export function deviationsOf(
  incumbent: FollowedHost | null,
  own: OwnHost | null,
  dialText: DialText,
  /** SHA-256 of the leaf in hex. */
  fingerprintOf: (certificate: NonNullable<OwnHost['certificate']>) => string | null,
): readonly Deviation[] {
  if (incumbent === null) {
    const isServed = own !== null && own.kind !== 'plain' && own.endpoints.length > 0;
    return isServed ? [{ kind: 'extra', subject: '' }] : [];
  }
  const theirs = new Set(incumbent.members.map(({ address, port }) => dialText(address, port)));
  if (own === null) return theirs.size > 0 ? [{ kind: 'missing', subject: '' }] : [];
  const ours = new Set(own.endpoints);
  const found: Deviation[] = [];
  for (const subject of theirs) if (!ours.has(subject)) found.push({ kind: 'endpoint-missing', subject });
  for (const subject of ours) if (!theirs.has(subject)) found.push({ kind: 'endpoint-extra', subject });
  const fingerprint = own.certificate === null ? null : (fingerprintOf(own.certificate) ?? 'unknown');
  if (fingerprint !== incumbent.fingerprint) {
    const subject = `${fingerprint ?? 'platform'} instead of ${incumbent.fingerprint ?? 'platform'}`;
    found.push({ kind: 'certificate', subject });
  }
  return found;
}

/** For people. */
export function deviationText({ kind, subject }: Deviation): string {
  switch (kind) {
    case 'missing':
      return 'nginx serves it, Headgear would not';
    case 'extra':
      return 'Headgear would serve it, nginx does not';
    case 'endpoint-missing':
      return `nginx sends to ${subject}, Headgear would not`;
    case 'endpoint-extra':
      return `Headgear would send to ${subject}, nginx does not`;
    case 'certificate':
      return `another certificate: ${subject}`;
  }
}
