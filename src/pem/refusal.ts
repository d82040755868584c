/** Why a certificate or key cannot be served. `code` is stable (`PEM_...`); `reason` never holds key material or a pass phrase. */
export interface Refusal {
  readonly ok: false;
  readonly code: string;
  readonly reason: string;
}

export function refuse(code: string, reason: string): Refusal {
  return { ok: false, code, reason };
}

// Refusals that several readers of private keys give. OpenSSL's own messages are never passed on: they say nothing that an
// operator could use, and a tenant's bytes steer them.

export const notAKey = refuse('PEM_KEY_MALFORMED', 'the private key cannot be read');
export const missingPassPhrase = refuse(
  'PEM_PASS_PHRASE_MISSING',
  'the private key is encrypted and no pass phrase came with it',
);
export const wrongPassPhrase = refuse(
  'PEM_PASS_PHRASE_WRONG',
  'the pass phrase does not open the private key',
);
export const dsaRefused = refuse(
  'PEM_KEY_DSA',
  'DSA keys cannot serve: every handshake would fail; use RSA or ECDSA',
);
export const typeRefused = refuse(
  'PEM_KEY_TYPE',
  'the private key is of a kind that TLS servers do not use; use RSA, ECDSA or Ed25519',
);
export const encryptionUnsupported = refuse(
  'PEM_KEY_ENCRYPTION_UNSUPPORTED',
  'the private key is encrypted in a way that is obsolete or unknown here (such as PBE-MD5-DES); encrypt it with AES',
);
export const encryptionCostly = refuse(
  'PEM_KEY_ENCRYPTION_COSTLY',
  'decrypting the private key would cost too much: its iterations or scrypt parameters are too high',
);
