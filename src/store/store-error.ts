/** Why a store could not be opened or a batch not be made durable. `code` is stable (`STORE_...`). */
export type StoreErrorCode =
  | 'STORE_DIRECTORY'
  | 'STORE_IN_USE'
  | 'STORE_FORMAT'
  | 'STORE_DAMAGED'
  | 'STORE_OPEN_FAILED'
  /** The master key is not there, or is not the one that the records are under. */
  | 'STORE_KEY_MISSING'
  | 'STORE_KEY_INVALID'
  /** A rotation cannot end, because the last snapshot would need the former key. */
  | 'STORE_SNAPSHOT'
  | 'STORE_COMMIT_FAILED'
  | 'STORE_CLOSED';

/** Thrown by `openStore`, and what `commit` rejects with. Messages name paths and causes, never contents. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
    this.code = code;
  }
}

/** The words of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
