/**
 * Whether a client can verify a certificate, by what its ClientHello offers. Needed where one name has several certificates, RSA and
 * ECDSA say. The alternative, one context that holds them all so that OpenSSL decides, would leave us without knowing which it took, and
 * the stapled OCSP response has to be of that one. OpenSSL has the last word on the handshake all the same.
 */

/** What is looked at of a ClientHello; the lists are two-octet codes as on the wire. */
export interface ClientOffer {
  /** In normal form; null where the client named none. */
  readonly serverName: string | null;
  readonly versions: readonly number[];
  readonly cipherSuites: Buffer;
  readonly signatureAlgorithms: Buffer;
  readonly groups: Buffer;
}

export interface KeyKind {
  readonly keyType?: string;
  readonly keyBits?: number;
}

const TLS_1_3 = 0x0304;

/** RSASSA-PSS with an ordinary RSA key (RFC 8446 section 4.2.3); TLS 1.2 clients offer PKCS#1 v1.5 as well or instead. */
const RSA_PSS = [0x0804, 0x0805, 0x0806];
const RSA_PKCS1 = [0x0401, 0x0501, 0x0601, 0x0301];
const ED25519 = [0x0807];
/** In TLS 1.2 these say nothing of the curve. SHA-1 is not among them: no OpenSSL of ours signs with it. */
const ECDSA = [0x0403, 0x0503, 0x0603, 0x0303];

/** By size: the one signature algorithm of TLS 1.3, and the group that a TLS 1.2 client has to support. */
const CURVES: Readonly<Record<number, { readonly scheme: number; readonly group: number }>> = {
  256: { scheme: 0x0403, group: 23 },
  384: { scheme: 0x0503, group: 24 },
  521: { scheme: 0x0603, group: 25 },
};

/** ECDHE_ECDSA suites of RFC 8422, 5289, 7251 and 7905; those of TLS 1.3 are of no certificate. */
const ECDSA_SUITES: ReadonlySet<number> = new Set([
  ...[0xc007, 0xc008, 0xc009, 0xc00a, 0xc023, 0xc024, 0xc02b, 0xc02c],
  ...[0xc0ac, 0xc0ad, 0xc0ae, 0xc0af, 0xcca9],
]);
/** Signals that stand in the list of suites (RFC 5746, RFC 7507). */
const NO_SUITES: ReadonlySet<number> = new Set([0x00ff, 0x5600]);

/** Whether the client can verify a certificate with such a key. True for a kind that is not known. */
export function canVerify(offer: ClientOffer, { keyType, keyBits = 0 }: KeyKind): boolean {
  const { signatureAlgorithms, cipherSuites, groups } = offer;
  const isTls13 = offer.versions.includes(TLS_1_3);
  switch (keyType) {
    case 'rsa':
      if (isTls13) return hasOneOf(signatureAlgorithms, RSA_PSS);
      return (
        (hasOneOf(signatureAlgorithms, RSA_PSS) || hasOneOf(signatureAlgorithms, RSA_PKCS1)) &&
        someCode(cipherSuites, isRsaSuite)
      );
    case 'ec': {
      const curve = CURVES[keyBits];
      if (curve === undefined) return false;
      if (isTls13) return hasOneOf(signatureAlgorithms, [curve.scheme]);
      return (
        hasOneOf(signatureAlgorithms, ECDSA) &&
        hasOneOf(groups, [curve.group]) &&
        someCode(cipherSuites, isEcdsaSuite)
      );
    }
    case 'ed25519':
      return hasOneOf(signatureAlgorithms, ED25519) && (isTls13 || someCode(cipherSuites, isEcdsaSuite));
    default:
      return true;
  }
}

function isEcdsaSuite(code: number): boolean {
  return ECDSA_SUITES.has(code);
}

/** Any other suite of TLS 1.2: those without a certificate at all are offered by nobody who also wants one. */
function isRsaSuite(code: number): boolean {
  return !ECDSA_SUITES.has(code) && code >> 8 !== 0x13 && !NO_SUITES.has(code);
}

function hasOneOf(list: Buffer, wanted: readonly number[]): boolean {
  return someCode(list, (code) => wanted.includes(code));
}

function someCode(list: Buffer, accept: (code: number) => boolean): boolean {
  for (let at = 0; at + 1 < list.length; at += 2) if (accept(list.readUInt16BE(at))) return true;
  return false;
}
