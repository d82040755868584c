/** The order of a chain: the leaf first, then each one's issuer (RFC 8446 section 4.4.2), as people do not always paste it. */
import type { KeyObject, X509Certificate } from 'node:crypto';
import { type Refusal, refuse } from './refusal.ts';
import type { CertificateWarning } from './types.ts';

export interface OrderedChain {
  readonly ok: true;
  /** The leaf first. */
  readonly certificates: readonly X509Certificate[];
  readonly warning: Extract<CertificateWarning, 'CERT_CHAIN_REORDERED' | 'CERT_CHAIN_DISORDERED'> | null;
}

/**
 * Finds the leaf by its key and puts the rest behind it, each after what it signed, where there is one way to do so. Where there is
 * not (two issuers of one certificate, or some that belong to none), a chain that begins with its leaf stays as it came with a warning, because
 * clients that know the intermediates take it all the same; any other is refused. To drop what does not fit was rejected: cross-signed
 * issuers look like that, and which one a client needs is not known here.
 */
export function orderChain(given: readonly X509Certificate[], key: KeyObject): OrderedChain | Refusal {
  const distinct = given.filter((one, n) => given.findIndex(({ raw }) => raw.equals(one.raw)) === n);
  const owners = distinct.filter((certificate) => certificate.checkPrivateKey(key));
  const [first] = given;
  const leaf = owners.find((owner) => owner === first) ?? owners[0];
  if (leaf === undefined) {
    return refuse('PEM_KEY_MISMATCH', 'the private key does not belong to the certificate');
  }
  const leafIsFirst = leaf === first;
  const chain = leafIsFirst || owners.length === 1 ? onlyChainFrom(leaf, distinct) : null;
  if (chain !== null) {
    const asGiven = chain.length === given.length && chain.every((one, n) => one === given[n]);
    return { ok: true, certificates: chain, warning: asGiven ? null : 'CERT_CHAIN_REORDERED' };
  }
  if (leafIsFirst) {
    return { ok: true, certificates: given, warning: followsOn(given) ? null : 'CERT_CHAIN_DISORDERED' };
  }
  const place = given.indexOf(leaf) + 1;
  return refuse(
    'PEM_LEAF_NOT_FIRST',
    `the private key belongs to certificate ${place} of ${given.length}, and the others do not make one chain; the leaf must come first, its chain after it`,
  );
}

/** The one chain that all of `pool` make, or null. */
function onlyChainFrom(leaf: X509Certificate, pool: readonly X509Certificate[]): X509Certificate[] | null {
  const chain = [leaf];
  let rest = pool.filter((certificate) => certificate !== leaf);
  for (let at = leaf; rest.length > 0; ) {
    const issuers = rest.filter((candidate) => isIssuedBy(at, candidate));
    const [issuer] = issuers;
    if (issuer === undefined || issuers.length > 1) return null;
    chain.push(issuer);
    rest = rest.filter((certificate) => certificate !== issuer);
    at = issuer;
  }
  return chain;
}

/** Whether each one after the first issued one before it: as cross-signed chains come, which branch. */
function followsOn(given: readonly X509Certificate[]): boolean {
  return given.every(
    (issuer, n) => n === 0 || given.slice(0, n).some((certificate) => isIssuedBy(certificate, issuer)),
  );
}

/** By name and by signature: names alone are the same for a CA's former and present key. */
function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    // Keys and signatures of kinds that OpenSSL does not know.
    return false;
  }
}
