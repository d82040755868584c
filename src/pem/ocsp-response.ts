/** An OCSP response judged before it is stapled (RFC 6960 section 4.2): its signature, its certificate, its times. Pure; never throws. */
import { verify, X509Certificate } from 'node:crypto';
import { childrenOf, type Element, octetsOf, oidOf, readElement, sequenceOf } from './der.ts';
import type { CertId, OcspQuestion } from './ocsp-request.ts';

export type OcspJudgement =
  | {
      readonly ok: true;
      /** Epoch milliseconds. `nextUpdate` is null where the responder names none: then newer ones are always to be had. */
      readonly thisUpdate: number;
      readonly nextUpdate: number | null;
    }
  /** `PEM_OCSP_...` */
  | { readonly ok: false; readonly code: OcspRefusalCode };

export type OcspRefusalCode =
  | 'PEM_OCSP_MALFORMED'
  | 'PEM_OCSP_UNSUCCESSFUL'
  | 'PEM_OCSP_OTHER_CERTIFICATE'
  | 'PEM_OCSP_SIGNATURE'
  | 'PEM_OCSP_TIMES'
  | 'PEM_OCSP_REVOKED'
  | 'PEM_OCSP_UNKNOWN';

export const MAX_OCSP_RESPONSE_BYTES = 64 * 1024;

const BASIC_RESPONSE = '1.3.6.1.5.5.7.48.1.1';
const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9';
const TAG_ENUMERATED = 0x0a;
const TAG_BIT_STRING = 0x03;
const TAG_GENERALIZED_TIME = 0x18;
const EXPLICIT_0 = 0xa0;
const MAX_SINGLE_RESPONSES = 64;
const MAX_RESPONDER_CERTIFICATES = 5;
/** Clocks differ; a response from so far ahead is still taken. */
const CLOCK_SKEW_MS = 300_000;

/** SHA-1 is left out: clients refuse such a response, and with it the connection. */
const DIGESTS: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
};

/** Whether `response` says, for certain and now, that the certificate of `question` is good. `now` in epoch milliseconds. */
export function judgeOcspResponse(response: Buffer, question: OcspQuestion, now: number): OcspJudgement {
  try {
    return judge(response, question, now);
  } catch {
    // A key that OpenSSL will not verify with, say.
    return refuse('PEM_OCSP_MALFORMED');
  }
}

function judge(response: Buffer, { issuer, certId }: OcspQuestion, now: number): OcspJudgement {
  const outer = response.length > MAX_OCSP_RESPONSE_BYTES ? null : readElement(response, 0, response.length);
  if (outer === null || outer.end !== response.length) return refuse('PEM_OCSP_MALFORMED');
  const [status, wrapped] = sequenceOf(response, outer) ?? [];
  if (status?.tag !== TAG_ENUMERATED) return refuse('PEM_OCSP_MALFORMED');
  if (status.end - status.start !== 1 || response[status.start] !== 0) return refuse('PEM_OCSP_UNSUCCESSFUL');
  const [type, octets] = sequenceOf(response, insideOf(response, wrapped)) ?? [];
  const basic = octetsOf(response, octets);
  if (oidOf(response, type) !== BASIC_RESPONSE || basic === null) return refuse('PEM_OCSP_MALFORMED');

  const root = readElement(basic, 0, basic.length);
  const [data, algorithm, signature, certificates] = sequenceOf(basic, root) ?? [];
  if (
    root === null ||
    data === undefined ||
    signature?.tag !== TAG_BIT_STRING ||
    basic[signature.start] !== 0
  )
    return refuse('PEM_OCSP_MALFORMED');
  const fields = sequenceOf(basic, data);
  const responses = fields?.find(({ tag }) => tag === 0x30);
  const singles = responses === undefined ? null : childrenOf(basic, responses, MAX_SINGLE_RESPONSES);
  if (singles === null || singles === undefined) return refuse('PEM_OCSP_MALFORMED');
  const single = singles
    .map((element) => sequenceOf(basic, element))
    .find((parts) => parts !== null && isOf(basic, parts[0], certId));
  if (single === undefined || single === null) return refuse('PEM_OCSP_OTHER_CERTIFICATE');

  const signed = {
    bytes: basic.subarray(root.start, data.end),
    digest: DIGESTS[oidOf(basic, sequenceOf(basic, algorithm)?.[0]) ?? ''],
    signature: basic.subarray(signature.start + 1, signature.end),
  };
  const signers = [issuer, ...delegatesOf(basic, certificates, issuer, now)];
  if (!signers.some((signer) => isSignedBy(signed, signer))) return refuse('PEM_OCSP_SIGNATURE');
  return judgeStatus(basic, single, now);
}

function judgeStatus(basic: Buffer, single: readonly Element[], now: number): OcspJudgement {
  const [, status, thisField, nextField] = single;
  if (status?.tag === 0xa1) return refuse('PEM_OCSP_REVOKED');
  if (status?.tag !== 0x80) return refuse('PEM_OCSP_UNKNOWN');
  const thisUpdate = timeOf(basic, thisField);
  const hasNext = nextField?.tag === EXPLICIT_0;
  const nextUpdate = hasNext ? timeOf(basic, insideOf(basic, nextField)) : null;
  if (thisUpdate === null || (hasNext && nextUpdate === null)) return refuse('PEM_OCSP_MALFORMED');
  if (thisUpdate > now + CLOCK_SKEW_MS || (nextUpdate !== null && nextUpdate <= now)) {
    return refuse('PEM_OCSP_TIMES');
  }
  return { ok: true, thisUpdate, nextUpdate };
}

/** CertID ::= SEQUENCE { hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber }. Of another hash it would have other lengths. */
function isOf(basic: Buffer, element: Element | undefined, certId: CertId): boolean {
  const [, name, key, serial] = sequenceOf(basic, element) ?? [];
  return (
    octetsOf(basic, name)?.equals(certId.issuerNameHash) === true &&
    octetsOf(basic, key)?.equals(certId.issuerKeyHash) === true &&
    serial !== undefined &&
    basic.subarray(serial.start, serial.end).equals(certId.serial)
  );
}

/** Certificates in the response that the issuer itself has given the task of signing such (RFC 6960 section 4.2.2.2). */
function delegatesOf(
  basic: Buffer,
  element: Element | undefined,
  issuer: X509Certificate,
  now: number,
): X509Certificate[] {
  const list = element?.tag === EXPLICIT_0 ? insideOf(basic, element) : null;
  const elements = list === null ? null : childrenOf(basic, list, MAX_RESPONDER_CERTIFICATES);
  let from = list?.start ?? 0;
  return (elements ?? []).flatMap(({ end }) => {
    const certificate = new X509Certificate(basic.subarray(from, end));
    from = end;
    const mayRespond =
      (certificate.keyUsage as readonly string[] | undefined)?.includes(OCSP_SIGNING) === true &&
      Date.parse(certificate.validFrom) <= now &&
      now <= Date.parse(certificate.validTo) &&
      certificate.checkIssued(issuer) &&
      certificate.verify(issuer.publicKey);
    return mayRespond ? [certificate] : [];
  });
}

function isSignedBy(
  signed: { readonly bytes: Buffer; readonly digest: string | null | undefined; readonly signature: Buffer },
  signer: X509Certificate,
): boolean {
  if (signed.digest === undefined) return false;
  return verify(signed.digest, signed.bytes, signer.publicKey, signed.signature);
}

/** The one element within an explicit tag. */
function insideOf(bytes: Buffer, element: Element | undefined): Element | null {
  if (element?.tag !== EXPLICIT_0) return null;
  const inside = readElement(bytes, element.start, element.end);
  return inside?.end === element.end ? inside : null;
}

/** GeneralizedTime as DER has it (RFC 5280 section 4.1.2.5.2), in epoch milliseconds. */
function timeOf(bytes: Buffer, element: Element | null | undefined): number | null {
  if (element?.tag !== TAG_GENERALIZED_TIME) return null;
  const text = bytes.toString('latin1', element.start, element.end);
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second] = match;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? null : time;
}

function refuse(code: OcspRefusalCode): OcspJudgement {
  return { ok: false, code };
}
