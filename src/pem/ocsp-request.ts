/** What to ask of whom, to learn a certificate's status: an OCSP request (RFC 6960 section 4.1, in the profile of RFC 5019). Pure. */
import { createHash, X509Certificate } from 'node:crypto';
import { childrenOf, type Element, integerOf, readElement, sequenceOf } from './der.ts';

export interface OcspQuestion {
  /** The responder that the certificate names; its owner chose it, so it is not to be trusted with an address. */
  readonly url: string;
  /** The request, to be sent by POST as application/ocsp-request. */
  readonly request: Buffer;
  readonly issuer: X509Certificate;
  readonly certId: CertId;
}

/** Of the CertID's fields what tells certificates apart. SHA-1 names things here, it protects nothing; every responder knows it. */
export interface CertId {
  readonly issuerNameHash: Buffer;
  readonly issuerKeyHash: Buffer;
  /** Contents of the INTEGER. */
  readonly serial: Buffer;
}

const MAX_URL_CHARS = 1_024;
/** id-ad-ocsp, as DER has it. */
const OCSP_ACCESS = Buffer.from('06082b06010505073001', 'hex');
const SHA1_ALGORITHM = Buffer.from('300906052b0e03021a0500', 'hex');

/**
 * The question for the leaf of a chain, leaf first; null where there is nothing to ask: no responder named, or no issuer in the chain to check
 * the answer with. Never throws.
 */
export function ocspQuestionOf(chainPem: string): OcspQuestion | null {
  try {
    const [leafPem, issuerPem] =
      chainPem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    if (leafPem === undefined || issuerPem === undefined || !namesResponder(leafPem)) return null;
    const leaf = new X509Certificate(leafPem);
    const url = responderOf(leaf);
    if (url === null) return null;
    const issuer = new X509Certificate(issuerPem);
    if (!leaf.checkIssued(issuer) || !leaf.verify(issuer.publicKey)) return null;
    const certId = certIdOf(leaf, issuer);
    return certId === null ? null : { url, request: requestFor(certId), issuer, certId };
  } catch {
    return null;
  }
}

/** Most certificates name none, and a look at their octets is a hundredth of the cost of reading them. */
function namesResponder(leafPem: string): boolean {
  return Buffer.from(leafPem.split('\n').slice(1, -1).join(''), 'base64').includes(OCSP_ACCESS);
}

/** The first `http:` responder of the authority information access. */
function responderOf(leaf: X509Certificate): string | null {
  for (const line of (leaf.infoAccess ?? '').split('\n')) {
    const url = /^OCSP - URI:(http:\/\/[\x21\x23-\x7e]+)$/i.exec(line)?.[1];
    if (url !== undefined && url.length <= MAX_URL_CHARS) return url;
  }
  return null;
}

function certIdOf(leaf: X509Certificate, issuer: X509Certificate): CertId | null {
  const { raw } = leaf;
  const tbs = tbsFields(raw);
  const serial = tbs?.[0];
  const issuerName = tbs?.[2];
  const before = tbs?.[1];
  if (serial === undefined || issuerName === undefined || before === undefined) return null;
  if (integerOf(raw, serial) === null) return null;
  const key = publicKeyBits(issuer);
  if (key === null) return null;
  return {
    // Header and all: it begins where the field before it ends.
    issuerNameHash: sha1(raw.subarray(before.end, issuerName.end)),
    issuerKeyHash: sha1(key),
    serial: raw.subarray(serial.start, serial.end),
  };
}

/** serialNumber, signature, issuer and what follows of a TBSCertificate (RFC 5280 section 4.1); the version is left out. */
function tbsFields(raw: Buffer): readonly Element[] | null {
  const [tbs] = sequenceOf(raw, readElement(raw, 0, raw.length)) ?? [];
  const fields = sequenceOf(raw, tbs);
  return fields?.[0]?.tag === 0xa0 ? fields.slice(1) : fields;
}

/** Contents of the subjectPublicKey's BIT STRING, without the octet that counts unused bits. */
function publicKeyBits(certificate: X509Certificate): Buffer | null {
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  const root = readElement(spki, 0, spki.length);
  const bits = root === null ? undefined : childrenOf(spki, root)?.[1];
  return bits?.tag === 0x03 ? spki.subarray(bits.start + 1, bits.end) : null;
}

function requestFor({ issuerNameHash, issuerKeyHash, serial }: CertId): Buffer {
  const certId = der(
    0x30,
    SHA1_ALGORITHM,
    der(0x04, issuerNameHash),
    der(0x04, issuerKeyHash),
    der(0x02, serial),
  );
  // OCSPRequest { TBSRequest { requestList { Request { CertID } } } }, without a nonce: answers are made ahead and cached.
  return der(0x30, der(0x30, der(0x30, der(0x30, certId))));
}

/** One element in DER; contents of up to 64 KiB. */
function der(tag: number, ...contents: Buffer[]): Buffer {
  const body = Buffer.concat(contents);
  const length =
    body.length < 0x80
      ? [body.length]
      : body.length < 0x100
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

function sha1(bytes: Buffer): Buffer {
  return createHash('sha1').update(bytes).digest();
}
