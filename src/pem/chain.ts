/** A PEM text to the certificates it holds, and what can be said against them without their key. */
import { X509Certificate } from 'node:crypto';
import { readPemBlocks } from './blocks.ts';
import { oidOf, readElement, sequenceOf, TAG_OID } from './der.ts';
import { type Refusal, refuse } from './refusal.ts';

const MAX_CERTIFICATE_PEM_CHARS = 128 * 1024;
const MAX_CHAIN_CERTIFICATES = 10;
const MIN_ISSUER_RSA_BITS = 2048;
/** RSA with MD2, MD4, MD5 and SHA-1 (two names), ECDSA and DSA with SHA-1. */
const WEAK_SIGNATURES = new Set([
  '1.2.840.113549.1.1.2',
  '1.2.840.113549.1.1.3',
  '1.2.840.113549.1.1.4',
  '1.2.840.113549.1.1.5',
  '1.3.14.3.2.29',
  '1.2.840.10045.4.1',
  '1.2.840.10040.4.3',
]);

export const noCertificate = refuse('PEM_CERTIFICATE_MISSING', 'no certificate in PEM form was found');

/** The certificates of a PEM text in their order, the first taken for the leaf. */
export function readChain(
  pem: string,
): { readonly ok: true; readonly certificates: readonly X509Certificate[] } | Refusal {
  if (pem.length > MAX_CERTIFICATE_PEM_CHARS) return refuse('PEM_TOO_LARGE', 'the certificate is too large');
  const read = readPemBlocks(pem, 'certificate');
  if (!read.ok) return read;
  // Combined files also hold the key, DH parameters and the like: not our business here.
  const blocks = read.blocks.filter(({ label }) => label === 'CERTIFICATE' || label === 'X509 CERTIFICATE');
  if (blocks.length === 0) return noCertificate;
  if (blocks.length > MAX_CHAIN_CERTIFICATES + 1) {
    return refuse('PEM_CHAIN_TOO_LONG', `more than ${MAX_CHAIN_CERTIFICATES} chain certificates`);
  }
  const certificates: X509Certificate[] = [];
  for (const [index, { der }] of blocks.entries()) {
    const certificate = parseCertificate(der);
    if (certificate === null) {
      return refuse('PEM_CERTIFICATE_MALFORMED', `certificate ${index + 1} of the chain cannot be read`);
    }
    certificates.push(certificate);
  }
  return { ok: true, certificates };
}

function parseCertificate(der: Buffer): X509Certificate | null {
  try {
    const certificate = new X509Certificate(der);
    // Bytes after the certificate are dropped by OpenSSL without a word; here they are a fault.
    return certificate.raw.length === der.length ? certificate : null;
  } catch {
    return null;
  }
}

/**
 * A refusal where a certificate is signed with SHA-1 or worse. OpenSSL 3.0 would not serve it, 3.5 would, and no browser takes it:
 * judged here, so that an update of Node changes nothing. Self-signed ones are exempt, nobody looks at their signature.
 */
export function weakSignatureIn(certificates: readonly X509Certificate[]): Refusal | null {
  const place = certificates.findIndex(({ raw, subject, issuer }) => {
    const [, algorithm] = sequenceOf(raw, readElement(raw, 0, raw.length)) ?? [];
    return subject !== issuer && WEAK_SIGNATURES.has(oidOf(raw, sequenceOf(raw, algorithm)?.[0]) ?? '');
  });
  if (place < 0) return null;
  return refuse(
    'PEM_SIGNATURE_WEAK',
    `certificate ${place + 1} of the chain is signed with SHA-1 or MD5, which clients refuse`,
  );
}

/** Below 112 bits of strength (NIST SP 800-57 part 1): clients refuse it, and OpenSSL from 3.5 on would not serve it. */
export function smallKeyIn(issuers: readonly X509Certificate[]): Refusal | null {
  const place = issuers.findIndex(
    (issuer) => (modulusBits(issuer) ?? MIN_ISSUER_RSA_BITS) < MIN_ISSUER_RSA_BITS,
  );
  if (place < 0) return null;
  return refuse(
    'PEM_CHAIN_KEY_TOO_SMALL',
    `certificate ${place + 2} of the chain has a key below ${MIN_ISSUER_RSA_BITS} bits, which clients refuse`,
  );
}

/** Undefined for keys without a modulus, and of kinds that OpenSSL does not know. */
function modulusBits(certificate: X509Certificate): number | undefined {
  try {
    return certificate.publicKey.asymmetricKeyDetails?.modulusLength;
  } catch {
    return undefined;
  }
}

/** RFC 5480 section 2.1.1 wants a curve by name; OpenSSL would serve one spelled out (and take a look-alike for P-256). */
export function namesItsCurve(leaf: X509Certificate): boolean {
  const spki = leaf.publicKey.export({ type: 'spki', format: 'der' });
  const [algorithm] = sequenceOf(spki, readElement(spki, 0, spki.length)) ?? [];
  return sequenceOf(spki, algorithm)?.[1]?.tag === TAG_OID;
}
