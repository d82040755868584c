/** A full picture of what somebody else knows, in the one form that every source comes to. */
import type { AppKey, AppRef, EndpointFacts } from '../spi/events.ts';

export interface PictureCertificate {
  readonly alias: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly passPhrase: string | null;
}

export interface PictureApp {
  readonly app: AppRef;
  /** null: the source does not know. */
  readonly scalable: boolean | null;
  readonly ha: boolean | null;
  /** `gearId` is UNKNOWN_GEAR where the source does not say. */
  readonly endpoints: readonly EndpointFacts[];
  readonly aliases: readonly string[];
  /** Those that the source has; that it lacks one says nothing (OpenShift's REST has none, domain.md 1.5). */
  readonly certificates: readonly PictureCertificate[];
}

/** What of a source could not be taken over, and why. Never holds key material. */
export interface SourceProblem {
  /** `SOURCES_...`, or a decoder's. */
  readonly code: string;
  /** A file, an application, a line. */
  readonly where: string;
  readonly reason: string;
}

export interface Picture {
  /** For people and for provenance. */
  readonly source: string;
  readonly apps: ReadonlyMap<AppKey, PictureApp>;
  readonly problems: readonly SourceProblem[];
  /** False where protocols, types and mappings were only assumed: an endpoint that is there is then never changed. */
  readonly knowsDetails: boolean;
  /** OpenShift loses the endpoints of gears that moved (domain.md 1.4, 7): no endpoint at all is then no reason to remove those there are. */
  readonly doubtsEmpty: boolean;
}
