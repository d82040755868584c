/** A private key's PEM to a key that TLS can serve with, or why it cannot. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { type PemBlock, readPemBlocks } from './blocks.ts';
import { decryptPkcs8, objectionToPkcs8 } from './pkcs8.ts';
import {
  dsaRefused,
  missingPassPhrase,
  notAKey,
  type Refusal,
  refuse,
  typeRefused,
  wrongPassPhrase,
} from './refusal.ts';
import { decryptTraditional, hasTraditionalShape, isTraditionallyEncrypted } from './traditional-key.ts';
import type { CertificateFacts } from './types.ts';

const MAX_KEY_PEM_CHARS = 32 * 1024;
/** OpenSSL's own limit of a pass phrase. */
const MAX_PASS_PHRASE_CHARS = 1024;
const MIN_RSA_BITS = 2048;
/** An 8192-bit signature costs some 20 ms, paid by us at every handshake that anybody cares to begin. */
const MAX_RSA_BITS = 8192;
const CURVE_BITS: Readonly<Record<string, number>> = { prime256v1: 256, secp384r1: 384, secp521r1: 521 };

export interface UsableKey {
  readonly ok: true;
  readonly key: KeyObject;
  readonly type: CertificateFacts['keyType'];
  readonly bits: number;
}

type Loaded = { readonly ok: true; readonly key: KeyObject } | Refusal;

/** Reads, decrypts and examines the first private key in `pem`. An empty pass phrase counts as none (domain.md 1.1). */
export function readPrivateKey(pem: string, passPhrase: string | null): UsableKey | Refusal {
  if (pem.length > MAX_KEY_PEM_CHARS) return refuse('PEM_TOO_LARGE', 'the private key is too large');
  if ((passPhrase?.length ?? 0) > MAX_PASS_PHRASE_CHARS) {
    return refuse('PEM_TOO_LARGE', 'the pass phrase is longer than 1024 characters');
  }
  const read = readPemBlocks(pem, 'private key');
  if (!read.ok) return read;
  // `openssl ecparam -genkey` writes EC PARAMETERS first; others put the certificate beside the key.
  const block = read.blocks.find(({ label }) => label.endsWith('PRIVATE KEY'));
  if (block === undefined) return refuse('PEM_KEY_MISSING', 'no private key in PEM form was found');
  const loaded = load(block, passPhrase === '' ? null : passPhrase);
  return loaded.ok ? examine(loaded.key) : loaded;
}

function load(block: PemBlock, passPhrase: string | null): Loaded {
  switch (block.label) {
    case 'ENCRYPTED PRIVATE KEY': {
      const decrypted = decryptPkcs8(block.der, passPhrase);
      return decrypted.ok ? parse(decrypted.der, 'pkcs8', notAKey) : decrypted;
    }
    case 'PRIVATE KEY':
      return parse(block.der, 'pkcs8', notAKey);
    case 'RSA PRIVATE KEY':
      return loadTraditional(block, 'pkcs1', passPhrase);
    case 'EC PRIVATE KEY':
      return loadTraditional(block, 'sec1', passPhrase);
    case 'DSA PRIVATE KEY':
      return dsaRefused;
    default:
      return typeRefused;
  }
}

function loadTraditional(block: PemBlock, type: 'pkcs1' | 'sec1', passPhrase: string | null): Loaded {
  if (!isTraditionallyEncrypted(block)) return parse(block.der, type, notAKey);
  if (passPhrase === null) return missingPassPhrase;
  const decrypted = decryptTraditional(block, passPhrase);
  return decrypted.ok ? parse(decrypted.der, type, wrongPassPhrase) : decrypted;
}

/**
 * DER with its type named, never PEM: given PEM, OpenSSL looks at the contents rather than the label, and would also open what
 * another label would have had refused.
 */
function parse(der: Buffer, type: 'pkcs8' | 'pkcs1' | 'sec1', failure: Refusal): Loaded {
  const objection =
    type === 'pkcs8' ? objectionToPkcs8(der) : hasTraditionalShape(der, type) ? null : failure;
  if (objection !== null) return objection;
  try {
    return { ok: true, key: createPrivateKey({ key: der, format: 'der', type }) };
  } catch {
    return failure;
  }
}

function examine(key: KeyObject): UsableKey | Refusal {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return examineRsa(key);
    case 'ec': {
      const bits = CURVE_BITS[key.asymmetricKeyDetails?.namedCurve ?? ''];
      if (bits === undefined) {
        return refuse(
          'PEM_KEY_CURVE',
          'the key is on a curve that TLS clients do not take; use P-256, P-384 or P-521',
        );
      }
      return { ok: true, key, type: 'ec', bits };
    }
    case 'ed25519':
      return { ok: true, key, type: 'ed25519', bits: 256 };
    case 'dsa':
      return dsaRefused;
    default:
      return typeRefused;
  }
}

function examineRsa(key: KeyObject): UsableKey | Refusal {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  const exponent = key.asymmetricKeyDetails?.publicExponent ?? 0n;
  if (bits < MIN_RSA_BITS) {
    return refuse('PEM_KEY_TOO_SMALL', `the RSA key has ${bits} bits; at least ${MIN_RSA_BITS} are needed`);
  }
  if (bits > MAX_RSA_BITS) {
    return refuse('PEM_KEY_TOO_LARGE', `the RSA key has ${bits} bits; at most ${MAX_RSA_BITS} are taken`);
  }
  if (exponent < 3n || exponent > 0xffff_ffffn || !hasHonestSizes(key, bits)) {
    return refuse('PEM_KEY_MALFORMED', 'the RSA key has numbers of unusual size');
  }
  return { ok: true, key, type: 'rsa', bits };
}

/** A signature's cost grows with the private numbers, which a hostile key can make far longer than its modulus (or leave the fast ones out). */
function hasHonestSizes(key: KeyObject, bits: number): boolean {
  try {
    const jwk = key.export({ format: 'jwk' });
    const whole = bits;
    const half = bits / 2 + 64;
    const fits = (value: string | undefined, limit: number): boolean => {
      const length = value === undefined ? 0 : Buffer.from(value, 'base64url').length;
      return length > 1 && length * 8 <= limit + 8;
    };
    return fits(jwk.d, whole) && [jwk.p, jwk.q, jwk.dp, jwk.dq, jwk.qi].every((value) => fits(value, half));
  } catch {
    return false;
  }
}
