/** The platform's own certificates, from the files that the configuration names. */
import type { Config } from '../config/schema.ts';
import { judgeCertificate } from '../pem/judge.ts';
import type { CertificateFacts } from '../pem/types.ts';
import type { ClearPublishedCertificate } from '../table/routing-table.ts';
import { readSmallFile } from './small-file.ts';
import { loadTicketSecrets } from './ticket-source.ts';
import { objectionToSettings, tlsSettingsOf } from './tls-settings.ts';

/** Plain data, so that it can be handed to worker threads. */
export interface PlatformCertificate extends ClearPublishedCertificate {
  readonly facts: CertificateFacts;
  readonly warnings: readonly string[];
  /** Marked as a default by the configuration. */
  readonly isDefault: boolean;
  /** The file it was read from. */
  readonly origin: string;
}

/** `path` is the configuration key at fault, as `tls.certificates[0].keyFile`. */
export interface PlatformProblem {
  readonly path: string;
  readonly code: string;
  readonly reason: string;
}

export interface PlatformCertificates {
  readonly certificates: readonly PlatformCertificate[];
  readonly problems: readonly PlatformProblem[];
}

/** Reads and judges every platform certificate, and looks at what else the section names; all problems at once (`CERTIFICATES_...`, and `PEM_...` from the judge). Never throws. */
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
  const ticketSecrets = loadTicketSecrets(config.tickets);
  if (ticketSecrets?.ok === false) {
    const { code, reason } = ticketSecrets;
    problems.push({ path: 'tls.tickets.keysFile', code, reason });
  }
  for (const [index, files] of config.certificates.entries()) {
    const path = `tls.certificates[${index}]`;
    const textOf = (key: 'certFile' | 'keyFile' | 'passPhraseFile', file: string): string | null => {
      const read = readSmallFile(file);
      if (read.ok) return read.content.toString('utf8');
      problems.push({ path: `${path}.${key}`, code: 'CERTIFICATES_FILE', reason: read.reason });
      return null;
    };
    const certificatePem = textOf('certFile', files.certFile);
    const privateKeyPem = textOf('keyFile', files.keyFile);
    const passPhrase =
      files.passPhraseFile === undefined ? '' : textOf('passPhraseFile', files.passPhraseFile);
    if (certificatePem === null || privateKeyPem === null || passPhrase === null) continue;
    // Editors end the file with a newline; no pass phrase does.
    const trimmed = passPhrase.replace(/\r?\n$/, '');
    const judged = judgeCertificate({ certificatePem, privateKeyPem, passPhrase: trimmed, alias: null, now });
    if (!judged.ok) {
      problems.push({ path, code: judged.code, reason: judged.reason });
      continue;
    }
    const { facts, chainPem, keyPem, warnings } = judged;
    const { id, keyType, keyBits, notAfter } = facts;
    const isDefault = files.default;
    certificates.push({
      ...{ id, keyType, keyBits, validUntil: notAfter, chainPem, keyPem },
      ...{ facts, warnings, isDefault, origin: files.certFile },
    });
  }
  return { certificates, problems };
}
