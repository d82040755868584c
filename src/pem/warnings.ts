/** What is said of a certificate that can be served, but hardly as was meant. */
import type { CertificateFacts, CertificateWarning } from './types.ts';

/** A sentence an operator can act on. `alias`: the name that the certificate was given for. Names of the certificate are a tenant's words. */
export function warningText(warning: CertificateWarning, facts: CertificateFacts, alias: string): string {
  switch (warning) {
    case 'CERT_EXPIRED':
      return `the certificate of ${alias} expired on ${day(facts.notAfter)}`;
    case 'CERT_NOT_YET_VALID':
      return `the certificate of ${alias} is not valid before ${day(facts.notBefore)}`;
    case 'CERT_NAME_MISMATCH':
      return `the certificate of ${alias} does not stand for this name but for ${someNames(facts.names)}`;
    case 'CERT_CHAIN_REORDERED':
      return `the chain of the certificate of ${alias} came in a wrong order or with repetitions, and was put in order`;
    case 'CERT_CHAIN_DISORDERED':
      return `the chain of the certificate of ${alias} holds certificates that do not follow from one another; it is sent as it came`;
  }
}

const NAMES_SHOWN = 3;

function someNames(names: readonly string[]): string {
  if (names.length === 0) return 'no host name at all';
  const more = names.length - NAMES_SHOWN;
  return names.slice(0, NAMES_SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function day(epochMs: number): string {
  return new Date(epochMs).toISOString().slice(0, 10);
}
