/** The intake's login. Pure. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** True when both texts are the same; takes the same time wherever they differ, and whatever their lengths. */
function sameSecret(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

export interface WantedLogin {
  readonly login: string | undefined;
  readonly passcode: string | undefined;
}

/** True when CONNECT's `login` and `passcode` are the wanted ones, or when none are wanted. Both are always compared. */
export function loginIsRight(
  wanted: WantedLogin,
  given: { login: string | undefined; passcode: string | undefined },
): boolean {
  const login = wanted.login === undefined || sameSecret(given.login ?? '', wanted.login);
  const passcode = wanted.passcode === undefined || sameSecret(given.passcode ?? '', wanted.passcode);
  return login && passcode;
}
