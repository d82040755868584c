/**
 * The daemon's keys for active checks of endpoints (domain.md 11): said one by one, each with what there is instead, because an operator relied
 * on them. None is carried over: an endpoint is judged by the requests that it gets, and only a refused connection counts against it.
 */
import type { KeyNote, Note } from './routing-daemon-note.ts';

type Said = readonly [kind: KeyNote['kind'], message: string];

const NO_CHECKS =
  'no endpoint is checked on a timer: one that refuses a connection gets no requests for 1 s, then longer up to 30 s, and the request goes to another (upstream.maxAttempts)';
const NO_PATH =
  'keepAwake.path is the path of keep-awake probes, which keep applications from being idled and judge no endpoint';
const NO_STATUS =
  'no status takes an endpoint out: an answer, also a 5xx, is the application’s own affair. GET /keep-awake on the admin listener shows what each probe was answered';

const NGINX_PLUS: Readonly<Record<string, Said>> = {
  NGINX_PLUS: ['look', `active checks are not made: ${NO_CHECKS}`],
  NGINX_PLUS_HEALTH_CHECK_INTERVAL: [
    'look',
    `is not carried over: ${NO_CHECKS}. keepAwake.intervalMs is for keep-awake probes alone`,
  ],
  NGINX_PLUS_HEALTH_CHECK_FAILS: [
    'look',
    'is not carried over: the first refused connection takes an endpoint out, there is no count to reach',
  ],
  NGINX_PLUS_HEALTH_CHECK_PASSES: [
    'look',
    'is not carried over: when its time out is over, the first answer brings an endpoint back for good',
  ],
  NGINX_PLUS_HEALTH_CHECK_URI: [
    'look',
    `is not carried over: there is no path that endpoints are checked by. ${NO_PATH}`,
  ],
  NGINX_PLUS_HEALTH_CHECK_MATCH_STATUS: ['look', `is not carried over: ${NO_STATUS}`],
  NGINX_PLUS_HEALTH_CHECK_SHARED_MEMORY: ['obsolete', 'Headgear shares no memory between processes'],
};

const MONITOR: Readonly<Record<string, Said>> = {
  MONITOR_NAME: ['look', `no monitor is made for an application: ${NO_CHECKS}`],
  MONITOR_PATH: [
    'look',
    `is not carried over, nor are %a and %n in it: endpoints are not checked by a path. ${NO_PATH}`,
  ],
  MONITOR_UP_CODE: ['look', `is not carried over: bodies are not searched, and ${NO_STATUS}`],
  MONITOR_TYPE: [
    'look',
    'is not carried over: there are no monitors. endpoints.verifyTls is whether the certificates of endpoints with TLS are verified',
  ],
  MONITOR_INTERVAL: [
    'look',
    `is not carried over: ${NO_CHECKS}. keepAwake.intervalMs is for keep-awake probes alone`,
  ],
  MONITOR_TIMEOUT: [
    'look',
    'is not carried over: upstream.connectTimeoutMs and upstream.responseTimeoutMs bound requests, keepAwake.timeoutMs keep-awake probes',
  ],
};

/** Says what becomes of a key of active checks; false where it is none. `plus`: NGINX_PLUS=true; without it no checks were made by nginx. */
export function noteHealthKey(key: string, plus: boolean, note: Note): boolean {
  const ofPlus = Object.hasOwn(NGINX_PLUS, key) ? NGINX_PLUS[key] : undefined;
  if (ofPlus !== undefined && !plus) {
    note(key, 'obsolete', 'it was off (NGINX_PLUS is not true)');
    return true;
  }
  const said = ofPlus ?? (Object.hasOwn(MONITOR, key) ? MONITOR[key] : undefined);
  if (said === undefined) return false;
  note(key, ...said);
  return true;
}
