/** Certificates for development, the sample and the tests: a CA of one's own and leaves under it. Never for production. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import forge from 'node-forge';

export interface DevelopmentCa {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface IssuedCertificate {
  /** Leaf first, then the CA. */
  readonly chainPem: string;
  /** The leaf alone. */
  readonly certificatePem: string;
  /** Unencrypted PKCS#8, RSA-2048. */
  readonly privateKeyPem: string;
}

const DAY_MS = 86_400_000;
/** The longest that browsers grant certificates of the public kind; Apple's refuse 825 days and an hour of any CA. */
const MAX_TRUSTED_DAYS = 397;
/** Clocks of clients in a laboratory are seldom right. */
const BACKDATED_MS = 3_600_000;

/** A self-signed CA, of a new RSA-2048 key unless an RSA key is given. It may sign leaves only, no further CAs. */
export function makeDevelopmentCa(
  options: { commonName?: string; days?: number; now?: number; privateKeyPem?: string } = {},
): DevelopmentCa {
  const { commonName = 'Headgear development CA', days = 3650, now = Date.now() } = options;
  const keys = keysOf(options.privateKeyPem);
  const certificate = blankCertificate(keys.publicKeyPem, now - BACKDATED_MS, now + days * DAY_MS);
  const subject = [{ name: 'commonName', value: commonName }];
  certificate.setSubject(subject);
  certificate.setIssuer(subject);
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint: 0 },
    { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  certificate.sign(forge.pki.privateKeyFromPem(keys.privateKeyPem), forge.md.sha256.create());
  return { certificatePem: pemOf(certificate), privateKeyPem: keys.privateKeyPem };
}

/**
 * A server certificate for `names` (DNS names, wildcards, IP addresses; the first is the common name). `now` is the beginning of its
 * validity less an hour, in epoch milliseconds. A new RSA-2048 key unless an RSA key is given. Throws when `names` is empty or the CA cannot be read.
 */
export function issueCertificate(options: {
  ca: DevelopmentCa;
  names: readonly string[];
  days?: number;
  now?: number;
  privateKeyPem?: string;
}): IssuedCertificate {
  const { ca, names, days = MAX_TRUSTED_DAYS, now = Date.now() } = options;
  const [commonName] = names;
  if (commonName === undefined) throw new TypeError('a certificate needs at least one name');
  const issuer = forge.pki.certificateFromPem(ca.certificatePem);
  const keys = keysOf(options.privateKeyPem);
  const begin = now - BACKDATED_MS;
  const certificate = blankCertificate(keys.publicKeyPem, begin, begin + days * DAY_MS);
  certificate.setSubject([{ name: 'commonName', value: commonName }]);
  certificate.setIssuer(issuer.subject.attributes);
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: false },
    { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
    { name: 'extKeyUsage', serverAuth: true },
    {
      name: 'subjectAltName',
      altNames: names.map((name) => (isIP(name) === 0 ? { type: 2, value: name } : { type: 7, ip: name })),
    },
    { name: 'subjectKeyIdentifier' },
    {
      name: 'authorityKeyIdentifier',
      keyIdentifier: issuer.generateSubjectKeyIdentifier().getBytes(),
    },
  ]);
  certificate.sign(forge.pki.privateKeyFromPem(ca.privateKeyPem), forge.md.sha256.create());
  const certificatePem = pemOf(certificate);
  return {
    chainPem: certificatePem + ca.certificatePem,
    certificatePem,
    privateKeyPem: keys.privateKeyPem,
  };
}

/** The key that was given, or a new one. Node makes it: forge would take seconds of plain JavaScript. */
function keysOf(given: string | undefined): { publicKeyPem: string; privateKeyPem: string } {
  const privateKey =
    given === undefined
      ? generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
      : createPrivateKey(given);
  return {
    publicKeyPem: String(createPublicKey(privateKey).export({ type: 'spki', format: 'pem' })),
    privateKeyPem: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  };
}

function blankCertificate(publicKeyPem: string, from: number, to: number): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKeyPem);
  // Positive and never with a leading zero octet, as RFC 5280 section 4.1.2.2 asks.
  certificate.serialNumber = `4${randomBytes(16).toString('hex').slice(1)}`;
  certificate.validity.notBefore = new Date(from);
  certificate.validity.notAfter = new Date(to);
  return certificate;
}

function pemOf(certificate: forge.pki.Certificate): string {
  return forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n');
}
