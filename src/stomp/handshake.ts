/** What the intake makes of a CONNECT: version, login, heart-beats. Pure but for the session id. */
import { randomUUID } from 'node:crypto';
import { type Headers, type StompVersion, VERSIONS } from './frame-text.ts';
import { loginIsRight, type WantedLogin } from './login.ts';

export type Handshake =
  | {
      readonly ok: true;
      readonly version: StompVersion;
      /** Headers of CONNECTED. */
      readonly answer: readonly (readonly [string, string])[];
      /** How often the client wants a line end from us, in milliseconds; 0 for never. */
      readonly beatMs: number;
      /** Longest silence of the client, in milliseconds. */
      readonly idleMs: number;
    }
  | { readonly ok: false; readonly code: string; readonly reason: string };

/** A longer beat than this is not promised to anyone, nor waited for. */
const MAX_BEAT_MS = 300_000;

/**
 * Judges CONNECT or STOMP. Version: the newest of `accept-version` that we speak, 1.0 without that header (1.1 "Protocol
 * Negotiation"). Heart-beats: we can send, and like to see, one each half idle time; a client that beats more slowly gets as
 * long as two of its beats. The `host` header, which 1.2 demands, is not needed: there is one destination for everything.
 */
export function handshake(headers: Headers, wanted: WantedLogin, idleTimeoutMs: number): Handshake {
  const accepted = (headers.get('accept-version') ?? '1.0').split(',').map((text) => text.trim());
  const version = VERSIONS.find((known) => accepted.includes(known));
  if (version === undefined)
    return { ok: false, code: 'STOMP_NO_COMMON_VERSION', reason: 'no common version of STOMP' };
  if (!loginIsRight(wanted, { login: headers.get('login'), passcode: headers.get('passcode') }))
    return { ok: false, code: 'STOMP_LOGIN_REFUSED', reason: 'login or passcode is wrong' };

  const [, sends = '0', wants = '0'] =
    /^ ?(\d{1,9}) ?, ?(\d{1,9}) ?$/.exec(headers.get('heart-beat') ?? '') ?? [];
  const half = Math.min(MAX_BEAT_MS, Math.max(1, Math.floor(idleTimeoutMs / 2)));
  const clientBeatMs = Math.min(Number(sends), MAX_BEAT_MS);
  const wantedMs = Number(wants);
  return {
    ok: true,
    version,
    answer: [
      ['version', version],
      ['heart-beat', `${half},${half}`],
      ['session', randomUUID()],
      ['server', 'headgear'],
    ],
    beatMs: wantedMs === 0 ? 0 : Math.max(half, Math.min(wantedMs, MAX_BEAT_MS)),
    idleMs: Math.max(idleTimeoutMs, 2 * clientBeatMs),
  };
}
