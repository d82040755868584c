/** What is said of each key of an existing `routing-daemon.conf`. */

/** `taken`: carried over. `obsolete`: nothing to carry over. `look`: an operator has to decide. `unknown`: no key of the daemon. */
export interface KeyNote {
  readonly key: string;
  readonly kind: 'taken' | 'obsolete' | 'look' | 'unknown';
  readonly message: string;
}

export type Note = (key: string, kind: KeyNote['kind'], message: string) => void;
