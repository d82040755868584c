/** Chain and private key of a certificate under the master key, bound to the application, alias and certificate that they belong to. */
import { seal, unseal } from './envelope.ts';
import type { KeyRing } from './key-ring.ts';

export interface Pem {
  readonly chainPem: string;
  readonly keyPem: string;
}

/** Whose it is. None of the parts can hold a NUL. */
export interface PemOwner {
  readonly app: string;
  readonly alias: string;
  /** The certificate's id. */
  readonly id: string;
}

export function sealPem(ring: KeyRing, owner: PemOwner, { chainPem, keyPem }: Pem): Buffer {
  const plain = Buffer.from(`${keyPem}\0${chainPem}`, 'latin1');
  const sealed = seal(ring, purposeOf(owner), plain);
  plain.fill(0);
  return sealed;
}

/** Null where the key is missing, or the bytes are another certificate's or were changed. Never throws; some 10 microseconds. */
export function unsealPem(ring: KeyRing, owner: PemOwner, sealed: Uint8Array): Pem | null {
  const opened = unseal(ring, purposeOf(owner), sealed);
  if (!opened.ok) return null;
  const end = opened.plain.indexOf(0);
  const pem = {
    keyPem: opened.plain.toString('latin1', 0, end),
    chainPem: opened.plain.toString('latin1', end + 1),
  };
  opened.plain.fill(0);
  return end < 0 ? null : pem;
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
