/**
 * A batch as the redo log holds it, made in place: each record is written once, here, and lmdb takes it from here. The bytes are used again for
 * the next batch, because a buffer for each record, and another for all of them, was a good part of what a commit cost.
 *
 * Mark, checksum of the rest, length of the operations, number of the batch; then for each operation the lengths of its place and of its record,
 * the place (table and key) as JSON, and the record.
 */
import { crc32 } from './crc32.ts';
import { completeRecord, RECORD_HEAD_BYTES, type RecordKey } from './records.ts';

export const BATCH_MARK = 0x48475244;
export const BATCH_HEAD_BYTES = 20;
/** In place of a record's length: it was removed. */
export const REMOVED = 0xffffffff;

const FIRST_BYTES = 1_048_576;
/** What one great batch needed is not kept for small ones. */
const MAX_KEPT_BYTES = 8 * 1_048_576;
/** UTF-8 of one UTF-16 unit, at most. */
const MAX_BYTES_A_UNIT = 3;

/** One batch after the other, each from `begin` to the next. */
export class BatchRecord {
  #bytes = Buffer.alloc(0);
  #end = BATCH_HEAD_BYTES;

  /** What was given out before is gone. */
  begin(): void {
    this.#end = BATCH_HEAD_BYTES;
    if (this.#bytes.length === 0 || this.#bytes.length > MAX_KEPT_BYTES)
      this.#bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  }

  /** A record of this value, where text stands for its UTF-8. It holds until the next `begin`. */
  put(table: string, key: RecordKey, value: string | Buffer): Buffer {
    const units = typeof value === 'string' ? value.length * MAX_BYTES_A_UNIT : value.length;
    const keyText = JSON.stringify(key);
    const lengths = this.#place(table, keyText, RECORD_HEAD_BYTES + units);
    const from = this.#end;
    const content = from + RECORD_HEAD_BYTES;
    const written =
      typeof value === 'string' ? this.#bytes.write(value, content) : value.copy(this.#bytes, content);
    this.#end = content + written;
    this.#bytes.writeUInt32BE(this.#end - from, lengths + 4);
    const record = this.#bytes.subarray(from, this.#end);
    completeRecord(table, keyText, record);
    return record;
  }

  remove(table: string, key: RecordKey): void {
    const lengths = this.#place(table, JSON.stringify(key), 0);
    this.#bytes.writeUInt32BE(REMOVED, lengths + 4);
  }

  /** All of it, for the log; it holds until the next `begin`. */
  finish(number: number): Buffer {
    const record = this.#bytes.subarray(0, this.#end);
    record.writeUInt32BE(BATCH_MARK, 0);
    record.writeUInt32BE(this.#end - BATCH_HEAD_BYTES, 8);
    record.writeBigUInt64BE(BigInt(number), 12);
    record.writeUInt32BE(crc32(record.subarray(8)), 4);
    return record;
  }

  /** Writes where an operation belongs, with room for `bytes` more behind it; where its lengths are. */
  #place(table: string, keyText: string, bytes: number): number {
    const place = `["${table}",${keyText}]`;
    this.#makeRoom(8 + place.length * MAX_BYTES_A_UNIT + bytes);
    const lengths = this.#end;
    const written = this.#bytes.write(place, lengths + 8);
    this.#bytes.writeUInt32BE(written, lengths);
    this.#end = lengths + 8 + written;
    return lengths;
  }

  #makeRoom(bytes: number): void {
    const wanted = this.#end + bytes;
    if (wanted <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(wanted, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }
}
