/**
 * Records as they lie on disk: a mark, a checksum, the value's bytes. The checksum covers the table's name and the key too, so that a
 * record that a flipped bit moved under another key is found as well. lmdb itself has no checksums (those of its next
 * version come only with its encryption, whose key it would hold in memory beside an unauthenticated meta page).
 */
import { crc32, textCrc32 } from './crc32.ts';
import { StoreError } from './store-error.ts';

/** Neither JSON nor MessagePack (the records of format 1) begins with it. */
const MARK = 0x01;
/** Mark and checksum. */
export const RECORD_HEAD_BYTES = 5;

export type RecordKey = string | number | [string, string];

/** The bytes of a record. */
export function encodeRecord(table: string, key: RecordKey, value: string | Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(RECORD_HEAD_BYTES + Buffer.byteLength(value));
  if (typeof value === 'string') bytes.write(value, RECORD_HEAD_BYTES);
  else value.copy(bytes, RECORD_HEAD_BYTES);
  completeRecord(table, JSON.stringify(key), bytes);
  return bytes;
}

/** Puts mark and checksum before the value, which stands in its place. `keyText`: the key as JSON. */
export function completeRecord(table: string, keyText: string, record: Buffer): void {
  record[0] = MARK;
  record.writeUInt32BE(checksum(table, keyText, valueBytes(record)), 1);
}

/** The value's bytes, a part of the record's; null unless the bytes are a whole record of this table and key. */
export function soundValue(table: string, key: RecordKey, bytes: Buffer): Buffer | null {
  if (bytes.length <= RECORD_HEAD_BYTES || bytes[0] !== MARK) return null;
  const value = valueBytes(bytes);
  return bytes.readUInt32BE(1) === checksum(table, JSON.stringify(key), value) ? value : null;
}

/**
 * The value's bytes, a part of the record's.
 * @throws StoreError STORE_DAMAGED when the bytes are not what was written.
 */
export function decodeRecord(table: string, key: RecordKey, bytes: Buffer): Buffer {
  const value = soundValue(table, key, bytes);
  if (value !== null) return value;
  throw new StoreError('STORE_DAMAGED', `a record of '${table}' is not what was written`);
}

/** The same of a record that is known to be whole. */
export function valueBytes(bytes: Buffer): Buffer {
  return bytes.subarray(RECORD_HEAD_BYTES);
}

function checksum(table: string, keyText: string, value: Buffer): number {
  return crc32(value, textCrc32(`${table} ${keyText} `));
}
