/** The store's format: its number, and how older ones become the present one. */

import type { PublishedCertificate } from '../table/routing-table.ts';
import type { Application } from '../table/state.ts';
import { StoreError } from './store-error.ts';
import type { Tables } from './tables.ts';
import type { QuarantineEntry } from './types.ts';

/** Rises when a record's shape changes; an older program then refuses the store instead of misreading it. */
export const FORMAT = 2;

/**
 * Brings a store of an older format to the present one, in one transaction.
 * @throws StoreError STORE_FORMAT for one that a newer program wrote.
 */
export async function bringToFormat(tables: Tables, dir: string): Promise<void> {
  const legacy = legacyFormat(tables);
  const format = legacy ?? tables.meta.get('format');
  if (format === FORMAT) return;
  if (format === undefined && tables.apps.isEmpty()) {
    await tables.root.childTransaction(() => tables.meta.put('format', FORMAT));
    return;
  }
  if (format !== 1)
    throw new StoreError(
      'STORE_FORMAT',
      `the store in ${dir} has format ${format ?? 'unknown'}, this program reads ${FORMAT}: was it written by a newer version?`,
    );
  await fromFormat1(tables);
}

/** Format 1 wrote bare JSON, which the present one never begins with. */
function legacyFormat({ root }: Tables): number | null {
  const bytes = root.openDB<Buffer, string>('meta', { encoding: 'binary' }).get('format');
  return bytes?.toString() === '1' ? 1 : null;
}

/** Format 1: no checksums; JSON, and MessagePack for the quarantine. */
async function fromFormat1({ root, meta, apps, certificates, quarantine }: Tables): Promise<void> {
  const read = <V, K extends string | number | [string, string]>(
    name: string,
    encoding: 'json' | 'msgpack',
  ): readonly { readonly key: K; readonly value: V }[] => [
    ...root.openDB<V, K>(name, { encoding }).getRange({}),
  ];
  const old = {
    meta: read<number, string>('meta', 'json'),
    apps: read<Application, string>('apps', 'json'),
    certificates: read<PublishedCertificate, [string, string]>('certificates', 'json'),
    quarantine: read<QuarantineEntry, number>('quarantine', 'msgpack'),
  };
  await root.childTransaction(() => {
    for (const { key, value } of old.meta) meta.put(key, value);
    for (const { key, value } of old.apps) apps.put(key, value);
    for (const { key, value } of old.certificates) certificates.put(key, value);
    for (const { key, value } of old.quarantine) quarantine.put(key, value);
    meta.put('format', FORMAT);
  });
}
