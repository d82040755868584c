/** The store's format: its number, and how older ones become the present one. */

import type { KeyRing } from '../seal/key-ring.ts';
import type { Pem } from '../seal/packed-pem.ts';
import { sealPem } from '../seal/sealed-pem.ts';
import type { AppKey } from '../spi/events.ts';
import type { Application } from '../table/state.ts';
import type { Log } from '../telemetry/types.ts';
import { sealEntry } from './sealed-records.ts';
import { StoreError } from './store-error.ts';
import { type Coding, json, type Table, type Tables, tableOf } from './tables.ts';
import type { QuarantineEntry } from './types.ts';

/** Rises when a record's shape changes; an older program then refuses the store instead of misreading it. */
export const FORMAT = 5;
/** Read as they are: 3 has sealed certificates as text, 3 and 4 what is known of certificates as it is shown. */
const READABLE: readonly unknown[] = [3, 4];
/** Records, or bodies of up to a megabyte, that one transaction brings over. */
const RECORDS_A_TRANSACTION = 256;
const ENTRIES_A_TRANSACTION = 8;

/** A certificate as formats 1 and 2 held it. */
interface ClearCertificate extends Pem {
  readonly id: string;
}

/** What formats 1 and 2 held in the clear. */
interface ClearTables {
  readonly certificates: Table<ClearCertificate, [AppKey, string]>;
  readonly quarantine: Table<QuarantineEntry, number>;
}

/**
 * Brings a store of an older format to the present one. Each transaction leaves a store that the next start can go on with. True: private
 * keys lay in it in the clear, and lie in its free pages until the file is written anew.
 * @throws StoreError STORE_FORMAT for one that a newer program wrote.
 */
export async function bringToFormat(tables: Tables, ring: KeyRing, dir: string, log: Log): Promise<boolean> {
  const { root, meta } = tables;
  const format = legacyFormat(tables) ?? meta.get('format');
  if (format === FORMAT) return false;
  const isNew = format === undefined && tables.apps.isEmpty();
  const isClear = format === 1 || format === 2;
  if (!isNew && !isClear && !READABLE.includes(format))
    throw new StoreError(
      'STORE_FORMAT',
      `the store in ${dir} has format ${format ?? 'unknown'}, this program reads ${FORMAT}: was it written by a newer version?`,
    );
  if (isClear) {
    log.info('encrypting the private keys of a store that holds them in the clear', { dir });
    const clear = clearTablesOf(tables);
    if (format === 1) await fromFormat1(tables, clear);
    await fromFormat2(tables, clear, ring);
  }
  await root.childTransaction(() => meta.put('format', FORMAT));
  return isClear;
}

/** Format 1 wrote bare JSON, which the later ones never begin with. */
function legacyFormat({ root }: Tables): number | null {
  const bytes = root.openDB<Buffer, string>('meta', { encoding: 'binary' }).get('format');
  return bytes?.toString() === '1' ? 1 : null;
}

function clearTablesOf({ root }: Tables): ClearTables {
  return {
    certificates: tableOf(root, 'certificates', json<ClearCertificate>()),
    quarantine: tableOf(root, 'quarantine', clearEntryCoding),
  };
}

const clearEntryCoding: Coding<QuarantineEntry> = {
  encode: ({ body, ...entry }) =>
    Buffer.from(
      JSON.stringify({
        ...entry,
        body: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64'),
      }),
    ),
  fromBytes(bytes) {
    const { body, ...entry } = JSON.parse(bytes.toString('utf8')) as Omit<QuarantineEntry, 'body'> & {
      readonly body: string;
    };
    return { ...entry, body: Buffer.from(body, 'base64') };
  },
};

/** Format 1: no checksums; JSON, and MessagePack for the quarantine. In one transaction. */
async function fromFormat1({ root, meta, apps }: Tables, clear: ClearTables): Promise<void> {
  const read = <V, K extends string | number | [string, string]>(
    name: string,
    encoding: 'json' | 'msgpack',
  ): readonly { readonly key: K; readonly value: V }[] => [
    ...root.openDB<V, K>(name, { encoding }).getRange({}),
  ];
  const old = {
    meta: read<number, string>('meta', 'json'),
    apps: read<Application, string>('apps', 'json'),
    certificates: read<ClearCertificate, [string, string]>('certificates', 'json'),
    quarantine: read<QuarantineEntry, number>('quarantine', 'msgpack'),
  };
  await root.childTransaction(() => {
    for (const { key, value } of old.meta) meta.put(key, value);
    for (const { key, value } of old.apps) apps.put(key, value);
    for (const { key, value } of old.certificates) clear.certificates.put(key, value);
    for (const { key, value } of old.quarantine) clear.quarantine.put(key, value);
    meta.put('format', 2);
  });
}

/** Format 2: private keys and quarantined bodies in the clear. */
async function fromFormat2(tables: Tables, clear: ClearTables, ring: KeyRing): Promise<void> {
  const { certificates, quarantine, root } = tables;
  for (;;) {
    const some = clear.certificates.entries({ limit: RECORDS_A_TRANSACTION });
    if (some.length === 0) break;
    await root.childTransaction(() => {
      for (const [key, value] of some) {
        const [app, alias] = key;
        const { id } = value;
        certificates.put(key, { id, sealed: sealPem(ring, { app, alias, id }, value) });
        clear.certificates.remove(key);
      }
    });
  }
  for (;;) {
    const some = clear.quarantine.values({ limit: ENTRIES_A_TRANSACTION });
    if (some.length === 0) return;
    await root.childTransaction(() => {
      for (const entry of some) {
        quarantine.put(entry.id, sealEntry(ring, entry));
        clear.quarantine.remove(entry.id);
      }
    });
  }
}
