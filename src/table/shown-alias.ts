/** Records of aliases as they are shown, in the journal and to operators: with a certificate's facts, where the table has them in one text. */
import { type CertificateFacts, certificateFacts, packCertificate } from './certificate-ref.ts';
import type { AliasRecord, Application } from './state.ts';

export interface ShownAlias extends Omit<AliasRecord, 'certificate'> {
  readonly certificate: CertificateFacts | null;
}

export interface ShownApplication extends Omit<Application, 'aliases'> {
  readonly aliases: readonly ShownAlias[];
}

export function shownAlias(record: AliasRecord): ShownAlias {
  const { certificate } = record;
  return { ...record, certificate: certificate === null ? null : certificateFacts(certificate) };
}

export function shownApplication(app: Application): ShownApplication {
  return { ...app, aliases: app.aliases.map(shownAlias) };
}

/** Back to what the table holds. */
export function heldAlias(shown: ShownAlias): AliasRecord {
  const { certificate } = shown;
  return { ...shown, certificate: certificate === null ? null : packCertificate(certificate) };
}

/** What the table holds of a record that may have been stored as it is shown: as formats before 5 did. */
export function heldApplication(stored: Application | ShownApplication): Application {
  return isHeld(stored) ? stored : { ...stored, aliases: stored.aliases.map(heldAlias) };
}

function isHeld(stored: Application | ShownApplication): stored is Application {
  for (const { certificate } of stored.aliases)
    if (certificate !== null) return typeof certificate === 'string';
  return true;
}
