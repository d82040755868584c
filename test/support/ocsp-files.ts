/** Certificates and OCSP responses of test/fixtures/ocsp; its make.sh says what each is. */
import { readFileSync } from 'node:fs';
import { type OcspQuestion, ocspQuestionOf } from '../../src/pem/ocsp-request.ts';

const fixtures = new URL('../../../test/fixtures/ocsp/', import.meta.url);

export function ocspChain(name: 'leaf' | 'second' | 'revoked' | 'unnamed' | 'odd'): string {
  return readFileSync(new URL(`${name}-chain.pem`, fixtures), 'utf8');
}

/** A file with the extension `.der`. */
export function ocspFile(name: string): Buffer {
  return readFileSync(new URL(`${name}.der`, fixtures));
}

export function ocspQuestion(name: 'leaf' | 'second' | 'revoked'): OcspQuestion {
  const question = ocspQuestionOf(ocspChain(name));
  if (question === null) throw new Error(`${name} names no responder`);
  return question;
}
