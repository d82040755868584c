/** Certificates by the thousand, each with an ECDSA key of its own, under one CA: a quarter of a millisecond each. For benches alone. */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export interface MadeCertificate {
  readonly name: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

const ECDSA_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex');
const COMMON_NAME = Buffer.from('0603550403', 'hex');
const SUBJECT_ALT_NAME = Buffer.from('0603551d11', 'hex');
const VALIDITY = sequence(time('260101000000Z'), time('460101000000Z'));
const ISSUER = 'Headgear bench CA';

/** `serial` from 1 on; two certificates for one name differ in it and in their keys. */
export function certificateMaker(): (name: string, serial: number) => MadeCertificate {
  const ca = newKey();
  return (name, serial) => {
    const key = newKey();
    const names = sequence(element(0x82, Buffer.from(name)));
    const tbs = sequence(
      element(0xa0, element(0x02, Buffer.from([2]))),
      element(0x02, Buffer.from([0x40, serial >> 16, (serial >> 8) & 255, serial & 255])),
      ECDSA_SHA256,
      nameOf(ISSUER),
      VALIDITY,
      nameOf(name),
      createPublicKey(key).export({ type: 'spki', format: 'der' }),
      element(0xa3, sequence(sequence(SUBJECT_ALT_NAME, element(0x04, names)))),
    );
    const signature = element(0x03, Buffer.from([0]), sign('sha256', tbs, ca));
    const der = sequence(tbs, ECDSA_SHA256, signature).toString('base64');
    const lines = der.match(/.{1,64}/g)?.join('\n') ?? '';
    return {
      name,
      certificatePem: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
      privateKeyPem: String(key.export({ type: 'pkcs8', format: 'pem' })),
    };
  };
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

function nameOf(commonName: string): Buffer {
  return sequence(element(0x31, sequence(COMMON_NAME, element(0x0c, Buffer.from(commonName)))));
}

function time(text: string): Buffer {
  return element(0x17, Buffer.from(text));
}

function sequence(...contents: Buffer[]): Buffer {
  return element(0x30, ...contents);
}

function element(tag: number, ...contents: Buffer[]): Buffer {
  const body = Buffer.concat(contents);
  const { length } = body;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
}
