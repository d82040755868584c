/** One certificate and key, judged before they may replace a good one (domain.md 10, scenarios 39, 40 and 43). Pure; never throws. */
import { createHash } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { toPem } from './blocks.ts';
import { namesItsCurve, noCertificate, readChain, smallKeyIn, weakSignatureIn } from './chain.ts';
import { orderChain } from './chain-order.ts';
import { covers, MAX_NAMES_KEPT, namesOf } from './names.ts';
import { readPrivateKey } from './private-key.ts';
import { type Refusal, refuse } from './refusal.ts';
import type { CertificateWarning, Judged } from './types.ts';

const MAX_ISSUER_CHARS = 256;

export interface Submission {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** Null or '' when the key is not encrypted. */
  readonly passPhrase: string | null;
  /** The name it is to serve, or null for a certificate of the platform. */
  readonly alias: string | null;
  /** Epoch milliseconds. */
  readonly now: number;
}

/**
 * Says whether this certificate can be served, and normalises it. Warnings are no refusals: whether such a certificate is served is
 * policy. Costs some 4 ms; an encrypted key up to half a second.
 */
export function judgeCertificate(submission: Submission): Judged {
  try {
    return judge(submission);
  } catch {
    // Nothing below is known to throw; the error is left out because it might quote what it choked on.
    return refuse('PEM_UNREADABLE', 'the certificate or its key cannot be read');
  }
}

function judge({ certificatePem, privateKeyPem, passPhrase, alias, now }: Submission): Judged {
  const read = readChain(certificatePem);
  if (!read.ok) return read;
  const key = readPrivateKey(privateKeyPem, passPhrase);
  if (!key.ok) return key;
  const chain = orderChain(read.certificates, key.key);
  if (!chain.ok) return chain;
  const [leaf, ...issuers] = chain.certificates;
  if (leaf === undefined) return noCertificate;
  if (key.type === 'ec' && !namesItsCurve(leaf)) {
    return refuse(
      'PEM_KEY_CURVE',
      'the certificate spells its curve out instead of naming it; clients refuse that',
    );
  }
  const weak = weakSignatureIn(chain.certificates) ?? smallKeyIn(issuers);
  if (weak !== null) return weak;

  const notBefore = Date.parse(leaf.validFrom);
  const notAfter = Date.parse(leaf.validTo);
  if (Number.isNaN(notBefore) || Number.isNaN(notAfter)) {
    return refuse('PEM_CERTIFICATE_MALFORMED', 'the certificate has no readable validity');
  }
  const chainPem = chain.certificates.map(({ raw }) => toPem('CERTIFICATE', raw)).join('');
  const keyPem = String(key.key.export({ type: 'pkcs8', format: 'pem' }));
  const objection = objectionOfOpenSsl(chainPem, keyPem);
  if (objection !== null) return objection;

  const names = namesOf(leaf);
  const warnings: CertificateWarning[] = [];
  if (now > notAfter) warnings.push('CERT_EXPIRED');
  if (now < notBefore) warnings.push('CERT_NOT_YET_VALID');
  if (alias !== null && !covers(names, alias)) warnings.push('CERT_NAME_MISMATCH');
  if (chain.warning !== null) warnings.push(chain.warning);
  return {
    ok: true,
    facts: {
      id: createHash('sha256').update(chainPem).update('\0').update(keyPem).digest('hex'),
      fingerprint: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
      names: names.slice(0, MAX_NAMES_KEPT),
      keyType: key.type,
      keyBits: key.bits,
      notBefore,
      notAfter,
      issuer: printable(leaf.issuer ?? ''),
    },
    chainPem,
    keyPem,
    warnings,
  };
}

/** The proof of the pudding: what OpenSSL will not take is refused now rather than at each handshake. */
function objectionOfOpenSsl(chainPem: string, keyPem: string): Refusal | null {
  try {
    createSecureContext({ cert: chainPem, key: keyPem, ca: [] });
    return null;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return refuse('PEM_NOT_SERVABLE', `OpenSSL will not serve this certificate (${code})`);
  }
}

/** Issuers come from tenants: no line breaks, no control characters, no endless names. */
function printable(text: string): string {
  return text
    .replaceAll('\n', ', ')
    .replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?')
    .slice(0, MAX_ISSUER_CHARS);
}
