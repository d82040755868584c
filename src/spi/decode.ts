/** A plain record to a routing event, or to a coded rejection (domain.md 1.1). Pure: no clock, no I/O. */
import { type DocumentLimits, parseDocument } from './document.ts';
import type { PlainRecord } from './document-types.ts';
import {
  type AppRef,
  appKeyOf,
  type Decoded,
  type Rejection,
  type RoutingAction,
  type RoutingEvent,
} from './events.ts';
import { excerpt } from './excerpt.ts';
import {
  type Field,
  ok,
  readApp,
  readCartridge,
  readFlag,
  readMappings,
  readPassPhrase,
  readWords,
  requiredNormal,
  requiredText,
} from './fields.ts';
import { normalAddress, normalAlias, normalGearId, normalPort } from './names.ts';

const MAX_NOTES = 8;

/** What OpenShift before 2.2 sends in addition (domain.md 0): same payload, same meaning. */
const SYNONYMS: ReadonlyMap<string, RoutingAction> = new Map([
  ['add_gear', 'add_public_endpoint'],
  ['remove_gear', 'remove_public_endpoint'],
  ['delete_gear', 'remove_public_endpoint'],
]);

const COMMON_FIELDS = ['action', 'app_name', 'namespace'];
const ENDPOINT_FIELDS = [
  'gear_id',
  'public_port_name',
  'public_address',
  'public_port',
  'protocols',
  'types',
  'mappings',
];

/** Every field that OpenShift sends, by action; a synonym of a removal carries all of an endpoint's. */
const KNOWN_FIELDS: Readonly<Record<RoutingAction, ReadonlySet<string>>> = {
  create_application: new Set([...COMMON_FIELDS, 'scalable', 'ha']),
  delete_application: new Set([...COMMON_FIELDS, 'scalable', 'ha']),
  add_public_endpoint: new Set([...COMMON_FIELDS, ...ENDPOINT_FIELDS]),
  remove_public_endpoint: new Set([...COMMON_FIELDS, ...ENDPOINT_FIELDS]),
  add_alias: new Set([...COMMON_FIELDS, 'alias']),
  remove_alias: new Set([...COMMON_FIELDS, 'alias']),
  add_ssl: new Set([...COMMON_FIELDS, 'alias', 'ssl', 'private_key', 'pass_phrase']),
  remove_ssl: new Set([...COMMON_FIELDS, 'alias']),
};

function isRoutingAction(text: string): text is RoutingAction {
  return Object.hasOwn(KNOWN_FIELDS, text);
}

/**
 * Reads one event body to the end: text, record, event. Never throws.
 * @returns an event, `ignored` for an action that is not ours (acked and counted), or `rejected` with a `SPI_...` code.
 */
export function readEvent(body: Buffer, limits: DocumentLimits): Decoded {
  const document = parseDocument(body, limits);
  return document.ok ? decodeEvent(document.record) : rejected(document.rejection, null, null);
}

/** Turns a record into an event. Never throws; reasons never hold key material. */
export function decodeEvent(record: PlainRecord): Decoded {
  const text = requiredText(record, 'action');
  if (!text.ok) return rejected({ ...text.rejection, code: 'SPI_ACTION_INVALID' }, null, null);
  const name = text.value.startsWith(':') ? text.value.slice(1) : text.value;
  if (!/^[A-Za-z0-9_]{1,64}$/.test(name)) {
    const reason = `action is ${excerpt(text.value)}, not a name`;
    return rejected({ code: 'SPI_ACTION_INVALID', reason }, null, null);
  }
  const action = SYNONYMS.get(name) ?? name;
  if (!isRoutingAction(action)) return { kind: 'ignored', action };

  const notes = action === name ? [] : [`${name} taken as ${action}`];
  const app = readApp(record);
  if (!app.ok) return rejected(app.rejection, action, null);
  const event = eventOf(action, app.value, record, notes);
  if (!event.ok) return rejected(event.rejection, action, app.value);
  noteUnknownFields(record, action, notes);
  return { kind: 'event', event: event.value, notes };
}

function rejected(rejection: Rejection, action: RoutingAction | null, app: AppRef | null): Decoded {
  return { kind: 'rejected', rejection, action, app: app === null ? null : appKeyOf(app) };
}

function noteUnknownFields(record: PlainRecord, action: RoutingAction, notes: string[]): void {
  const known = KNOWN_FIELDS[action];
  let unknown = 0;
  for (const key of record.keys()) {
    if (known.has(key)) continue;
    unknown += 1;
    if (unknown <= MAX_NOTES) notes.push(`unknown field ${excerpt(key)}`);
  }
  if (unknown > MAX_NOTES) notes.push(`${unknown - MAX_NOTES} more unknown fields`);
}

function eventOf(
  action: RoutingAction,
  app: AppRef,
  record: PlainRecord,
  notes: string[],
): Field<RoutingEvent> {
  switch (action) {
    case 'create_application':
      return ok({
        action,
        app,
        scalable: readFlag(record, 'scalable', notes),
        ha: readFlag(record, 'ha', notes),
      });
    case 'delete_application':
      return ok({ action, app });
    case 'add_public_endpoint':
      return addEndpoint(app, record);
    case 'remove_public_endpoint': {
      const socket = readSocket(record);
      return socket.ok ? ok({ action, app, ...socket.value }) : socket;
    }
    case 'add_alias':
    case 'remove_alias':
    case 'remove_ssl': {
      const alias = readAlias(record);
      return alias.ok ? ok({ action, app, alias: alias.value }) : alias;
    }
    case 'add_ssl':
      return addSsl(app, record);
  }
}

interface GearSocket {
  readonly gearId: string;
  readonly address: string;
  readonly port: number;
}

function readSocket(record: PlainRecord): Field<GearSocket> {
  const gearId = requiredNormal(record, 'gear_id', 'SPI_GEAR_ID_INVALID', 'a gear id', normalGearId);
  if (!gearId.ok) return gearId;
  const address = requiredNormal(
    record,
    'public_address',
    'SPI_ADDRESS_INVALID',
    'an IPv4 or IPv6 address (host names are not taken)',
    normalAddress,
  );
  if (!address.ok) return address;
  const port = requiredNormal(
    record,
    'public_port',
    'SPI_PORT_INVALID',
    'a port from 1 to 65535',
    normalPort,
  );
  if (!port.ok) return port;
  return ok({ gearId: gearId.value, address: address.value, port: port.value });
}

function addEndpoint(app: AppRef, record: PlainRecord): Field<RoutingEvent> {
  const socket = readSocket(record);
  if (!socket.ok) return socket;
  const cartridge = readCartridge(record);
  if (!cartridge.ok) return cartridge;
  const protocols = readWords(record, 'protocols');
  if (!protocols.ok) return protocols;
  const types = readWords(record, 'types');
  if (!types.ok) return types;
  const mappings = readMappings(record);
  if (!mappings.ok) return mappings;
  const endpoint = {
    ...socket.value,
    cartridge: cartridge.value,
    protocols: protocols.value,
    types: types.value,
    mappings: mappings.value,
  };
  return ok({ action: 'add_public_endpoint', app, endpoint });
}

function readAlias(record: PlainRecord): Field<string> {
  return requiredNormal(record, 'alias', 'SPI_ALIAS_INVALID', 'a host name', normalAlias);
}

/** PEM and key go on as they came: `pem` judges them, and says so for that alias alone. */
function addSsl(app: AppRef, record: PlainRecord): Field<RoutingEvent> {
  const alias = readAlias(record);
  if (!alias.ok) return alias;
  const certificatePem = requiredText(record, 'ssl');
  if (!certificatePem.ok) return certificatePem;
  const privateKeyPem = requiredText(record, 'private_key');
  if (!privateKeyPem.ok) return privateKeyPem;
  const passPhrase = readPassPhrase(record);
  if (!passPhrase.ok) return passPhrase;
  return ok({
    action: 'add_ssl',
    app,
    alias: alias.value,
    certificatePem: certificatePem.value,
    privateKeyPem: privateKeyPem.value,
    passPhrase: passPhrase.value,
  });
}
