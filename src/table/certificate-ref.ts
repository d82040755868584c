/**
 * What the table remembers of a certificate, in one text: a record of a hundred thousand certificates holds that many texts and not a million
 * objects, which takes half the time to read at a start and to be collected for ever after. Whoever wants facts asks for them here.
 *
 * Fields with a blank between, what is asked for most first; then the lengths of the names, and names and issuer behind one another, since these
 * are the certificate's own words and may hold any character.
 */

declare const brand: unique symbol;
export type CertificateRef = string & { readonly [brand]: 'certificate' };

/** No key material; PEM and key are in the store, by (application, alias). */
export interface CertificateFacts {
  /** Identity of chain and key; a change of it is a new certificate. */
  readonly id: string;
  readonly fingerprint: string;
  readonly names: readonly string[];
  readonly keyType: string;
  readonly keyBits: number;
  /** Epoch milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly issuer: string;
  readonly warnings: readonly string[];
}

/** What routing and alerts ask of every certificate. */
export type CertificateHead = Pick<CertificateFacts, 'id' | 'keyType' | 'keyBits' | 'notBefore' | 'notAfter'>;

const FIELDS = 8;
const NONE: readonly string[] = [];

/** Ids, fingerprints, key types and warnings are this program's words and hold neither blank nor comma. */
export function packCertificate(facts: CertificateFacts): CertificateRef {
  const { id, warnings, notAfter, keyType, keyBits, notBefore, fingerprint, names, issuer } = facts;
  const lengths = names.map(({ length }) => length);
  const head = [id, warnings, notAfter, keyType, keyBits, notBefore, fingerprint, lengths].join(' ');
  return `${head} ${names.join('')}${issuer}` as CertificateRef;
}

export function certificateId(ref: CertificateRef): string {
  return ref.slice(0, ref.indexOf(' '));
}

/** What was odd when it came. */
export function certificateWarnings(ref: CertificateRef): readonly string[] {
  const from = ref.indexOf(' ') + 1;
  const to = ref.indexOf(' ', from);
  return to === from ? NONE : ref.slice(from, to).split(',');
}

/** Epoch milliseconds. */
export function certificateEnd(ref: CertificateRef): number {
  return numberAt(ref, behind(ref, behind(ref, 0)));
}

// Field by field: a start asks this of every certificate, and `split` takes ten times as long.
export function certificateHead(ref: CertificateRef): CertificateHead {
  const warnings = behind(ref, 0);
  const notAfter = behind(ref, warnings);
  const keyType = behind(ref, notAfter);
  const keyBits = behind(ref, keyType);
  const notBefore = behind(ref, keyBits);
  return {
    id: ref.slice(0, warnings - 1),
    keyType: ref.slice(keyType, keyBits - 1),
    keyBits: numberAt(ref, keyBits),
    notBefore: numberAt(ref, notBefore),
    notAfter: numberAt(ref, notAfter),
  };
}

export function certificateFacts(ref: CertificateRef): CertificateFacts {
  const fields = ref.split(' ', FIELDS);
  const [fingerprint = '', lengths = ''] = fields.slice(FIELDS - 2);
  let at = fields.join(' ').length + 1;
  const names = (lengths === '' ? [] : lengths.split(',')).map((length) => {
    const from = at;
    at += Number(length);
    return ref.slice(from, at);
  });
  return {
    ...certificateHead(ref),
    ...{ fingerprint, names, issuer: ref.slice(at), warnings: [...certificateWarnings(ref)] },
  };
}

/** Where the field behind the one at `from` begins. */
function behind(ref: CertificateRef, from: number): number {
  return ref.indexOf(' ', from) + 1;
}

function numberAt(ref: CertificateRef, from: number): number {
  return Number(ref.slice(from, ref.indexOf(' ', from)));
}
