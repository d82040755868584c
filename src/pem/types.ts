/** What `judgeCertificate` says of a certificate and key as they came in an `add_ssl` or from configuration. */

/** Facts of a usable certificate; no key material. */
export interface CertificateFacts {
  /** sha256 (hex) over the normalised chain and key: a new key under the same certificate is a new id. */
  readonly id: string;
  /** sha256 fingerprint (hex, lower-case, no colons) of the leaf's DER. */
  readonly fingerprint: string;
  /** DNS names of the subjectAltName (or the CN where there is none), lower-case, wildcards as `*.example.com`. */
  readonly names: readonly string[];
  readonly keyType: 'rsa' | 'ec' | 'ed25519';
  readonly keyBits: number;
  /** Epoch milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly issuer: string;
}

/** Said of a certificate that can be served all the same; whether it is, is policy for the first three. */
export type CertificateWarning =
  | 'CERT_EXPIRED'
  | 'CERT_NOT_YET_VALID'
  | 'CERT_NAME_MISMATCH'
  /** Its order was mended, or repetitions were dropped. */
  | 'CERT_CHAIN_REORDERED'
  /** It holds what does not belong to it, and stays as it came. */
  | 'CERT_CHAIN_DISORDERED';

export type Judged =
  | {
      readonly ok: true;
      readonly facts: CertificateFacts;
      /** Leaf first, LF line ends, text preambles dropped. */
      readonly chainPem: string;
      /** Unencrypted PKCS#8: the pass phrase was used once, here. */
      readonly keyPem: string;
      readonly warnings: readonly CertificateWarning[];
    }
  | { readonly ok: false; readonly code: string; readonly reason: string };
