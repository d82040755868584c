/** What the keep-awake probes are to visit. */
import type { AppKey } from '../spi/events.ts';

/** One proxy gear to be kept awake through its node's frontend. Plain data, projected by `table`. */
export interface KeepAwakeTarget {
  readonly app: AppKey;
  readonly gearId: string;
  /** Literal dial address of the node. */
  readonly address: string;
  /** `app-ns.domain` for the head gear, `gear_id-ns.domain` for every further proxy gear. */
  readonly host: string;
  /** The application's own name: used when the node answers 302 to getting_started for `host`. */
  readonly fallbackHost: string;
  readonly head: boolean;
}
