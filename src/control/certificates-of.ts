import { certificateId } from '../table/certificate-ref.ts';
import type { Application } from '../table/state.ts';

/** By alias: id of the certificate that the record refers to. */
export function certificatesOf(app: Application | undefined): ReadonlyMap<string, string> {
  const ids = new Map<string, string>();
  for (const { alias, certificate } of app?.aliases ?? []) {
    if (certificate !== null) ids.set(alias, certificateId(certificate));
  }
  return ids;
}
