/** A full picture of what somebody else knows, in the one form that every source comes to. */
import type { AppKey, AppRef, EndpointFacts } from '../spi/events.ts';

export interface PictureApp {
  readonly app: AppRef;
  /** null: the source does not know. */
  readonly scalable: boolean | null;
  readonly ha: boolean | null;
  /** `gearId` is UNKNOWN_GEAR where the source does not say. */
  readonly endpoints: readonly EndpointFacts[];
  readonly aliases: readonly string[];
}

/** What of a source could not be taken over, and why. Never holds key material. */
export interface SourceProblem {
  /** `SOURCES_...` */
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
}
