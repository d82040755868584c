/** The platform's own certificates, from the files that the configuration names. Read once, at start. */
import { readFileSync, statSync } from 'node:fs';
import type { Config } from '../config/schema.ts';
import { judgeCertificate } from '../pem/judge.ts';
import type { CertificateFacts } from '../pem/types.ts';
import type { PublishedCertificate } from '../table/routing-table.ts';
import { objectionToSettings, tlsSettingsOf } from './tls-settings.ts';

/** Plain data, so that it can be handed to worker threads. */
export interface PlatformCertificate extends PublishedCertificate {
  readonly facts: CertificateFacts;
  readonly warnings: readonly string[];
  /** Marked as a default by the configuration. */
  readonly isDefault: boolean;
  /** The file it was read from. */
  readonly origin: string;
}

/** `path` is the configuration key at fault, as `tls.certificates.0.keyFile`. */
export interface PlatformProblem {
  readonly path: string;
  readonly code: string;
  readonly reason: string;
}

export interface PlatformCertificates {
  readonly certificates: readonly PlatformCertificate[];
  readonly problems: readonly PlatformProblem[];
}

const MAX_FILE_BYTES = 256 * 1024;

/** Reads and judges every platform certificate; all problems at once (`CERTIFICATES_...`, and `PEM_...` from the judge). Never throws. */
export function loadPlatformCertificates(
  config: Config['tls'],
  now: number = Date.now(),
): PlatformCertificates {
  const certificates: PlatformCertificate[] = [];
  const problems: PlatformProblem[] = [];
  const objection = objectionToSettings(tlsSettingsOf(config));
  if (objection !== null) {
    problems.push({ path: 'tls.ciphers', code: 'CERTIFICATES_CIPHERS', reason: `OpenSSL says ${objection}` });
  }
  for (const [index, files] of config.certificates.entries()) {
    const path = `tls.certificates.${index}`;
    const read = (key: 'certFile' | 'keyFile' | 'passPhraseFile', file: string): string | null => {
      const content = readSmallFile(file);
      if (content.ok) return content.text;
      problems.push({ path: `${path}.${key}`, code: content.code, reason: content.reason });
      return null;
    };
    const certificatePem = read('certFile', files.certFile);
    const privateKeyPem = read('keyFile', files.keyFile);
    const passPhrase = files.passPhraseFile === undefined ? '' : read('passPhraseFile', files.passPhraseFile);
    if (certificatePem === null || privateKeyPem === null || passPhrase === null) continue;
    // Editors end the file with a newline; no pass phrase does.
    const trimmed = passPhrase.replace(/\r?\n$/, '');
    const judged = judgeCertificate({ certificatePem, privateKeyPem, passPhrase: trimmed, alias: null, now });
    if (!judged.ok) {
      problems.push({ path, code: judged.code, reason: judged.reason });
      continue;
    }
    const { facts, chainPem, keyPem, warnings } = judged;
    const { id, keyType, keyBits } = facts;
    const isDefault = files.default;
    certificates.push({
      ...{ id, keyType, keyBits, chainPem, keyPem },
      ...{ facts, warnings, isDefault, origin: files.certFile },
    });
  }
  return { certificates, problems };
}

type FileContent =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly code: string; readonly reason: string };

function readSmallFile(file: string): FileContent {
  try {
    const stats = statSync(file);
    // A named pipe would hold the start for ever.
    if (!stats.isFile()) return unreadable(`${file} is not a file`);
    if (stats.size > MAX_FILE_BYTES) return unreadable(`${file} is larger than ${MAX_FILE_BYTES} bytes`);
    return { ok: true, text: readFileSync(file, 'utf8') };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return unreadable(`${file} cannot be read (${code})`);
  }
}

function unreadable(reason: string): FileContent {
  return { ok: false, code: 'CERTIFICATES_FILE', reason };
}
