/** What is shown of certificates: facts and judgement, never keys. */
import type { CertificateFacts } from '../pem/types.ts';
import type { AppKey } from '../spi/events.ts';
import type { TablePolicy } from '../table/policy.ts';
import { certificateOfHost } from '../table/resolve-host.ts';
import { shownAlias } from '../table/shown-alias.ts';
import type { AliasRecord, Application, CertificateRefusal, RoutingState } from '../table/state.ts';

export const DAY_MS = 86_400_000;

/** Why an operator should look at it; the judge's warnings besides. */
export type CertificateAlert = 'CERT_EXPIRES_SOON' | 'CERT_REFUSED' | (string & {});

export interface CertificateView {
  /** The alias; of a platform certificate its first name. */
  readonly name: string;
  readonly source: 'alias' | 'platform';
  /** Application of the alias, or null. */
  readonly owner: AppKey | null;
  /** Where it came from: `add_ssl`, or the file. */
  readonly origin: string;
  /** Whether handshakes under the name get it now. */
  readonly served: boolean;
  readonly certificate: {
    readonly names: readonly string[];
    readonly keyType: string;
    readonly keyBits: number;
    /** ISO 8601. */
    readonly notBefore: string;
    readonly notAfter: string;
    /** Whole days until it ends; negative: since. */
    readonly daysLeft: number;
    readonly issuer: string;
    /** SHA-256 of the leaf, hex. */
    readonly fingerprint: string;
  } | null;
  /** A later one that was refused. */
  readonly refusal: CertificateRefusal | null;
  readonly alerts: readonly CertificateAlert[];
}

/** A certificate from the configuration's files. */
export interface PlatformFacts {
  readonly facts: CertificateFacts;
  readonly warnings: readonly string[];
  readonly origin: string;
}

type Facts = Omit<CertificateFacts, 'id' | 'keyType'> & { readonly keyType: string };

/** Null for an alias that has neither a certificate nor a refusal. */
export function aliasView(
  state: RoutingState,
  policy: TablePolicy,
  app: Application,
  record: AliasRecord,
  clock: Clock,
): CertificateView | null {
  const { alias, certificate, refusal } = shownAlias(record);
  if (certificate === null && refusal === null) return null;
  const chosen = certificateOfHost(state, alias, policy);
  const alerts = certificate === null ? [] : alertsOf(certificate, certificate.warnings, clock);
  if (refusal !== null) alerts.push('CERT_REFUSED');
  return {
    ...{ name: alias, source: 'alias', owner: app.key, origin: 'add_ssl' },
    served:
      certificate !== null &&
      chosen?.app === app.key &&
      !(alerts.includes('CERT_EXPIRED') && policy.certificates.expired === 'fallback') &&
      !(alerts.includes('CERT_NOT_YET_VALID') && policy.certificates.notYetValid === 'fallback'),
    certificate: certificate === null ? null : shown(certificate, clock.now),
    refusal,
    alerts,
  };
}

export function platformView({ facts, warnings, origin }: PlatformFacts, clock: Clock): CertificateView {
  return {
    ...{ name: facts.names[0] ?? '', source: 'platform', owner: null, origin, served: true },
    certificate: shown(facts, clock.now),
    refusal: null,
    alerts: alertsOf(facts, warnings, clock),
  };
}

export interface Clock {
  /** Epoch milliseconds. */
  readonly now: number;
  /** From how many days before its end on a certificate is an alert. */
  readonly alertDays: number;
}

export function daysLeft(notAfter: number, now: number): number {
  return Math.floor((notAfter - now) / DAY_MS);
}

/** Validity is of this moment; what the judge said of it then is over. */
function alertsOf(
  { notBefore, notAfter }: Facts,
  warnings: readonly string[],
  { now, alertDays }: Clock,
): CertificateAlert[] {
  const alerts = warnings.filter((code) => code !== 'CERT_EXPIRED' && code !== 'CERT_NOT_YET_VALID');
  if (now > notAfter) alerts.unshift('CERT_EXPIRED');
  else if (daysLeft(notAfter, now) < alertDays) alerts.unshift('CERT_EXPIRES_SOON');
  if (now < notBefore) alerts.unshift('CERT_NOT_YET_VALID');
  return alerts;
}

function shown(facts: Facts, now: number): NonNullable<CertificateView['certificate']> {
  const { names, keyType, keyBits, notBefore, notAfter, issuer, fingerprint } = facts;
  return {
    ...{ names, keyType, keyBits, notBefore: iso(notBefore), notAfter: iso(notAfter) },
    ...{ daysLeft: daysLeft(notAfter, now), issuer, fingerprint },
  };
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
