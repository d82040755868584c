/** The passcode of a STOMP login: given, or in a file of its own. */
import { readFileSync } from 'node:fs';

/** Reads `passcodeFile` (one line end at its end is not part of it) or returns `passcode`. Throws when the file cannot be read. */
export function readPasscode(source: {
  readonly passcode?: string | undefined;
  readonly passcodeFile?: string | undefined;
}): string | undefined {
  if (source.passcodeFile === undefined) return source.passcode;
  return readFileSync(source.passcodeFile, 'utf8').replace(/\r?\n$/, '');
}
