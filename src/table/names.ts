/** Names of applications and gears (domain.md 3). */
import type { AppRef } from '../spi/events.ts';
import type { TablePolicy } from './policy.ts';

/** RFC 1035 2.3.4, in characters; a label's 63 are in `isHostName`. */
const maxNameLength = 253;

/** Names an application has without any alias; null where it has none. */
export interface ImpliedNames {
  readonly plain: string | null;
  /** null also where prefix and suffix are empty: the plain name is the ha- name then. */
  readonly ha: string | null;
}

/** `app-namespace.domain`. */
export function plainName(app: AppRef, policy: TablePolicy): string {
  return `${app.appName}-${app.namespace}.${policy.cloudDomain}`;
}

/** `<prefix>app-namespace<suffix>.domain`; a suffix may hold dots (`.ha` gives `app-ns.ha.domain`). */
export function haName(app: AppRef, policy: TablePolicy): string {
  // `.ha.` is how the enhancement proposal writes the suffix: its last dot is the one that we add.
  const suffix = policy.haSuffix.toLowerCase().replace(/\.+$/, '');
  return `${policy.haPrefix.toLowerCase()}${app.appName}-${app.namespace}${suffix}.${policy.cloudDomain}`;
}

/** `gear_id-namespace.domain`: the name of a gear that is not the head gear; null where that is no host name. */
export function gearName(gearId: string, app: AppRef, policy: TablePolicy): string | null {
  const name = `${gearId.toLowerCase()}-${app.namespace}.${policy.cloudDomain}`;
  return isHostName(name) ? name : null;
}

/**
 * The names that are published for an application. Only names of letters and digits have any: with a `-` inside, application
 * `a-b` of namespace `c` and application `a` of `b-c` would be one name, so one tenant could take another's. Nor is a name
 * published that is longer than DNS allows.
 */
export function impliedNames(app: AppRef, policy: TablePolicy): ImpliedNames {
  if (!/^[a-z0-9]+$/.test(app.appName) || !/^[a-z0-9]+$/.test(app.namespace))
    return { plain: null, ha: null };
  const plain = plainName(app, policy);
  const ha = haName(app, policy);
  return {
    plain: isHostName(plain) ? plain : null,
    ha: ha !== plain && isHostName(ha) ? ha : null,
  };
}

/** True for a lower-case host name within the limits of DNS. Lenient about `-` at a label's end, as the broker is (domain.md 3). */
export function isHostName(name: string): boolean {
  if (name.length === 0 || name.length > maxNameLength) return false;
  return /^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*$/.test(name);
}
