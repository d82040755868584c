/**
 * Who may change anything through admin: whoever can read the token file, which is whoever may read the state folder. Readers
 * need no token, so the check is asked for by each route that writes, before its body is read.
 *
 * A browser cannot be talked into it: a page of another origin cannot send `Authorization` without a preflight that nobody answers
 * (CSRF), and under a rebound name it fails the guard's Host check and does not know the token.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { closeSync, fchmodSync, fstatSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../telemetry/types.ts';
import { headerValues, type Refusal } from './guard.ts';

export interface Authoriser {
  /** Where the token is, for those who are to ask. */
  readonly file: string;
  /** null: this request may write. */
  judge(rawHeaders: readonly string[]): Refusal | null;
}

const TOKEN_BYTES = 32;
const TOKEN_FILE = 'admin-token';
const PRIVATE_MODE = 0o600;

/**
 * Takes the token of the state folder, or makes one (mode 0600). It stays over restarts, so that scripts that hold it go on; an
 * operator changes it by removing the file and starting anew. A file that others could read is narrowed and gets a new token: the
 * former one may be known.
 * @throws the system's error when the file cannot be used.
 */
export function openAuthoriser(stateDir: string, log: Log): Authoriser {
  const file = join(stateDir, TOKEN_FILE);
  const expected = digest(readToken(file, log));
  return {
    file,
    judge(rawHeaders) {
      const given = headerValues(rawHeaders, 'authorization');
      const [first = ''] = given;
      const token = /^Bearer ([A-Za-z0-9_-]{1,128})$/i.exec(first)?.[1];
      if (given.length === 1 && token !== undefined && timingSafeEqual(digest(token), expected)) return null;
      const reason = `Changes need "Authorization: Bearer TOKEN" with the token in ${TOKEN_FILE} of the state folder.`;
      return { status: 401, code: 'ADMIN_NOT_AUTHORISED', reason };
    },
  };
}

function readToken(file: string, log: Log): string {
  const handle = openSync(file, 'a+', PRIVATE_MODE);
  try {
    const facts = fstatSync(handle);
    if (!facts.isFile()) throw new Error(`${file} is not a file`);
    const wasOpen = (facts.mode & 0o077) !== 0;
    if ((facts.mode & 0o777) !== PRIVATE_MODE) fchmodSync(handle, PRIVATE_MODE);
    const held = readFileSync(file, 'latin1').trim();
    if (!wasOpen && /^[A-Za-z0-9_-]{43,128}$/.test(held)) return held;
    if (wasOpen && held !== '')
      log.warn('the admin token was open to other users: a new one is made', { file });
  } finally {
    closeSync(handle);
  }
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const fresh = openSync(file, 'w', PRIVATE_MODE);
  try {
    writeSync(fresh, `${token}\n`);
  } finally {
    closeSync(fresh);
  }
  return token;
}

/** Of one length whatever was sent, for a comparison that says nothing by its time. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
