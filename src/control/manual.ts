/** What an operator asks for by hand -> an event. The verbs are those of `oo-admin-ctl-routing`: pools, members, aliases. */
import type { AppRef, Rejection } from '../spi/events.ts';
import {
  normalAddress,
  normalAlias,
  normalGearId,
  normalName,
  normalPort,
  UNKNOWN_GEAR,
} from '../spi/names.ts';
import type { CommandEvent } from './work.ts';

export type ManualRequest = Readonly<Record<string, unknown>>;

export type ReadManual =
  | { readonly ok: true; readonly event: CommandEvent }
  | { readonly ok: false; readonly rejection: Rejection };

const notGear = 'gear must be the id of a gear';

type Fields = (app: AppRef, request: ManualRequest) => CommandEvent | string;

const verbs: Readonly<Record<string, Fields>> = {
  'add-pool': (app) => ({ action: 'create_application', app, scalable: null, ha: null }),
  'delete-pool': (app) => ({ action: 'delete_application', app }),
  'add-member': (app, request) => withEndpoint('add_public_endpoint', app, request),
  'delete-member': (app, request) => {
    const at = addressOf(request);
    if (typeof at === 'string') return at;
    const gearId = gearOf(request, '');
    if (gearId === null) return notGear;
    return { action: 'remove_public_endpoint', app, gearId, ...at };
  },
  'pin-member': (app, request) => withEndpoint('pin_endpoint', app, request),
  'unpin-member': (app, request) => {
    const at = addressOf(request);
    return typeof at === 'string' ? at : { action: 'unpin_endpoint', app, ...at };
  },
  'add-alias': (app, request) => withAlias('add_alias', app, request),
  'delete-alias': (app, request) => withAlias('remove_alias', app, request),
  'pin-alias': (app, request) => withAlias('pin_alias', app, request),
  'unpin-alias': (app, request) => withAlias('unpin_alias', app, request),
};

export const manualVerbs: readonly string[] = Object.keys(verbs);

/** `{verb, app: "namespace/app", address, port, gear, types, protocols, alias}`, as far as the verb needs them (`CONTROL_MANUAL_...`). */
export function readManual(request: ManualRequest): ReadManual {
  const { verb } = request;
  const read = typeof verb === 'string' && Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  if (read === undefined)
    return refuse('CONTROL_MANUAL_VERB', `verb must be one of ${manualVerbs.join(', ')}`);
  const app = appOf(request.app);
  if (app === null) {
    return refuse('CONTROL_MANUAL_APP', 'app must be written namespace/app, both of letters and digits');
  }
  const event = read(app, request);
  return typeof event === 'string' ? refuse('CONTROL_MANUAL_FIELD', event) : { ok: true, event };
}

function appOf(value: unknown): AppRef | null {
  if (typeof value !== 'string') return null;
  const parts = value.split('/');
  const [namespace, appName] = [normalName(parts[0] ?? ''), normalName(parts[1] ?? '')];
  return parts.length === 2 && namespace !== null && appName !== null ? { namespace, appName } : null;
}

function addressOf({ address, port }: ManualRequest): { address: string; port: number } | string {
  const normal = typeof address === 'string' ? normalAddress(address) : null;
  if (normal === null) return 'address must be a literal IP address';
  const number = normalPort(String(port));
  return number === null ? 'port must be a TCP port' : { address: normal, port: number };
}

function gearOf({ gear }: ManualRequest, otherwise: string): string | null {
  if (gear === undefined || gear === null || gear === '') return otherwise;
  return typeof gear === 'string' ? normalGearId(gear) : null;
}

function withEndpoint(
  action: 'add_public_endpoint' | 'pin_endpoint',
  app: AppRef,
  request: ManualRequest,
): CommandEvent | string {
  const at = addressOf(request);
  if (typeof at === 'string') return at;
  const gearId = gearOf(request, UNKNOWN_GEAR);
  if (gearId === null) return notGear;
  const types = textsOf(request.types, ['load_balancer']);
  const protocols = textsOf(request.protocols, ['http', 'ws']);
  if (types === null || protocols === null) return 'types and protocols must be lists of words';
  return { action, app, endpoint: { gearId, cartridge: 'manual', ...at, types, protocols, mappings: [] } };
}

function withAlias(
  action: 'add_alias' | 'remove_alias' | 'pin_alias' | 'unpin_alias',
  app: AppRef,
  { alias }: ManualRequest,
): CommandEvent | string {
  const normal = typeof alias === 'string' ? normalAlias(alias) : null;
  return normal === null ? 'alias must be a host name' : { action, app, alias: normal };
}

function textsOf(value: unknown, otherwise: readonly string[]): readonly string[] | null {
  if (value === undefined || value === null) return otherwise;
  if (!Array.isArray(value) || value.length === 0) return null;
  return value.every((text) => typeof text === 'string' && /^[a-z_]{1,32}$/.test(text))
    ? (value as string[])
    : null;
}

function refuse(code: string, reason: string): ReadManual {
  return { ok: false, rejection: { code, reason } };
}
