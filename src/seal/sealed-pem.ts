/** Chain and private key of a certificate under the master key, bound to the application, alias and certificate that they belong to. */
import { seal, unseal } from './envelope.ts';
import type { KeyRing } from './key-ring.ts';
import { type Pem, packPem, unpackPem } from './packed-pem.ts';

/** Whose it is. None of the parts can hold a NUL. */
export interface PemOwner {
  readonly app: string;
  readonly alias: string;
  /** The certificate's id. */
  readonly id: string;
}

export function sealPem(ring: KeyRing, owner: PemOwner, pem: Pem): Buffer {
  const plain = packPem(pem) ?? Buffer.from(`${pem.keyPem}\0${pem.chainPem}`, 'latin1');
  const sealed = seal(ring, purposeOf(owner), plain);
  plain.fill(0);
  return sealed;
}

/** Null where the key is missing, or the bytes are another certificate's or were changed. Never throws; some 10 microseconds. */
export function unsealPem(ring: KeyRing, owner: PemOwner, sealed: Uint8Array): Pem | null {
  const opened = unseal(ring, purposeOf(owner), sealed);
  if (!opened.ok) return null;
  const pem = unpackPem(opened.plain) ?? asText(opened.plain);
  opened.plain.fill(0);
  return pem;
}

/** As all were up to format 3, and those still are that cannot be packed. */
function asText(plain: Buffer): Pem | null {
  const end = plain.indexOf(0);
  if (end < 0) return null;
  return { keyPem: plain.toString('latin1', 0, end), chainPem: plain.toString('latin1', end + 1) };
}

/** The same under the current key; null as `unsealPem`. */
export function resealPem(ring: KeyRing, owner: PemOwner, sealed: Uint8Array): Buffer | null {
  const purpose = purposeOf(owner);
  const opened = unseal(ring, purpose, sealed);
  if (!opened.ok) return null;
  const fresh = seal(ring, purpose, opened.plain);
  opened.plain.fill(0);
  return fresh;
}

function purposeOf({ app, alias, id }: PemOwner): string {
  return `certificate\0${app}\0${alias}\0${id}`;
}
