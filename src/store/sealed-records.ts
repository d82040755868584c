/** What holds private keys, as it lies on disk: certificates, and bodies in quarantine, which may hold one. */
import { SEAL_BYTES, seal, unseal } from '../seal/envelope.ts';
import type { KeyRing } from '../seal/key-ring.ts';
import type { QuarantineEntry, SealedCertificate } from './types.ts';

/** Length of the certificate's id, id, sealed chain and key. */
export function certificateBytes({ id, sealed }: SealedCertificate): Buffer {
  const name = Buffer.from(id, 'utf8');
  return Buffer.concat([Buffer.from([name.length]), name, sealed]);
}

/** `keep` copies: the record's bytes are used again. */
export function readCertificate(
  bytes: Buffer,
  keep: (bytes: Buffer) => Buffer = Buffer.from,
): SealedCertificate {
  const end = 1 + (bytes[0] ?? 0);
  return { id: bytes.toString('utf8', 1, end), sealed: keep(bytes.subarray(end)) };
}

/** An entry of the quarantine on disk. */
export interface StoredEntry extends Omit<QuarantineEntry, 'body'> {
  readonly sealed: Uint8Array;
}

/** Length of what is said of the entry, that as JSON, the sealed body. */
export function entryBytes({ sealed, ...facts }: StoredEntry): Buffer {
  const head = Buffer.from(JSON.stringify(facts));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, sealed]);
}

export function readEntry(bytes: Buffer): StoredEntry {
  const end = 4 + bytes.readUInt32BE(0);
  const facts = JSON.parse(bytes.toString('utf8', 4, end)) as Omit<StoredEntry, 'sealed'>;
  return { ...facts, sealed: Buffer.from(bytes.subarray(end)) };
}

export function sealEntry(ring: KeyRing, { body, ...facts }: QuarantineEntry): StoredEntry {
  return { ...facts, sealed: seal(ring, purposeOf(facts.id), body) };
}

/** An entry whose body was changed on disk comes back without it. */
export function unsealEntry(ring: KeyRing, { sealed, ...facts }: StoredEntry): QuarantineEntry {
  const opened = unseal(ring, purposeOf(facts.id), sealed);
  return { ...facts, body: opened.ok ? opened.plain : Buffer.alloc(0) };
}

/** The same under the current key; null where it cannot be opened. */
export function resealEntry(ring: KeyRing, entry: StoredEntry): StoredEntry | null {
  const opened = unseal(ring, purposeOf(entry.id), entry.sealed);
  return opened.ok ? { ...entry, sealed: seal(ring, purposeOf(entry.id), opened.plain) } : null;
}

export function bodyLength({ sealed }: StoredEntry): number {
  return Math.max(0, sealed.length - SEAL_BYTES);
}

function purposeOf(id: number): string {
  return `quarantine\0${id}`;
}
