/** Fingerprints of alias certificates, as the state knows them. */
import type { AppKey } from '../spi/events.ts';
import { certificateFacts } from '../table/certificate-ref.ts';
import type { RoutingState } from '../table/state.ts';

/** null where the certificate with this id is there no more. */
export function certificateFingerprints(state: () => RoutingState) {
  return (app: AppKey, alias: string, id: string): string | null => {
    const record = state()
      .apps.get(app)
      ?.aliases.find((one) => one.alias === alias);
    const facts = record?.certificate ? certificateFacts(record.certificate) : null;
    return facts?.id === id ? facts.fingerprint : null;
  };
}
