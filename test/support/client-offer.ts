/** What clients of several kinds offer in their hello, as far as the choice of a certificate goes. */
import type { ClientOffer } from '../../src/certificates/client-ability.ts';

/** Two-octet codes as on the wire. */
export function codes(...list: readonly number[]): Buffer {
  return Buffer.from(list.flatMap((code) => [code >> 8, code & 255]));
}

/** A browser of today, unless `more` says otherwise. */
export function offer(serverName: string | null, more: Partial<ClientOffer> = {}): ClientOffer {
  return {
    serverName,
    versions: [0x0304, 0x0303],
    cipherSuites: codes(0x1301, 0x1302, 0xc02b, 0xc02f),
    signatureAlgorithms: codes(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501),
    groups: codes(29, 23, 24),
    ...more,
  };
}

/** TLS 1.2 with RSA certificates alone. */
export const rsaOnly: Partial<ClientOffer> = {
  versions: [0x0303],
  cipherSuites: codes(0xc02f, 0xc030),
  signatureAlgorithms: codes(0x0401, 0x0501, 0x0804),
};

/** TLS 1.2 with ECDSA certificates alone. */
export const ecdsaOnly: Partial<ClientOffer> = {
  versions: [0x0303],
  cipherSuites: codes(0xc02b, 0xc02c),
  signatureAlgorithms: codes(0x0403, 0x0503),
};
