/** The certificates that `npm start` without a configuration serves: a CA for this machine and what it signs, kept in a folder. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DevelopmentCa, issueCertificate, makeDevelopmentCa } from '../pem/development.ts';

export interface CertificatePair {
  /** Paths; the certificate file holds the chain, leaf first. */
  readonly certFile: string;
  readonly keyFile: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface DevelopmentCertificates {
  /** What a client has to trust: `curl --cacert`. */
  readonly caFile: string;
  /** `*.domain` and `domain`. */
  readonly wildcard: CertificatePair;
  /** The alias of the sample application. */
  readonly alias: CertificatePair;
  /** File names that were made anew by this call; [] when all were good. */
  readonly made: readonly string[];
}

/** What has less than this to live is made anew, so that it does not expire under a server that runs for days. */
const RENEW_BEFORE_MS = 7 * 86_400_000;

/**
 * Returns the certificates in `dir`, making those that are missing, unreadable, for other names, signed by another CA or about to
 * expire. Keys are readable by their owner alone. Throws what the file system throws.
 */
export function prepareDevelopmentCertificates(options: {
  readonly dir: string;
  /** Cloud domain, e.g. `apps.example.test`. */
  readonly domain: string;
  readonly alias: string;
  /** Epoch milliseconds. */
  readonly now?: number;
}): DevelopmentCertificates {
  const { dir, domain, alias } = options;
  const now = options.now ?? Date.now();
  mkdirSync(dir, { recursive: true });
  const made: string[] = [];

  const ca = pathsOf(dir, 'ca');
  let authority: DevelopmentCa | null = readGood(ca, now, (certificate) => certificate.ca);
  if (!authority) {
    authority = makeDevelopmentCa({ now });
    write(ca, authority);
    made.push('ca');
  }
  const issuer: DevelopmentCa = authority;
  const issuerCertificate = new X509Certificate(issuer.certificatePem);
  const leaf = (name: string, names: readonly string[]): CertificatePair => {
    const paths = pathsOf(dir, name);
    const kept = readGood(
      paths,
      now,
      (certificate) =>
        certificate.verify(issuerCertificate.publicKey) &&
        certificate.subjectAltName === names.map((dns) => `DNS:${dns}`).join(', '),
    );
    if (kept) return { ...paths, ...kept };
    const issued = issueCertificate({ ca: issuer, names, now });
    const pair = { certificatePem: issued.chainPem, privateKeyPem: issued.privateKeyPem };
    write(paths, pair);
    made.push(name);
    return { ...paths, ...pair };
  };
  return {
    caFile: ca.certFile,
    wildcard: leaf('wildcard', [`*.${domain}`, domain]),
    alias: leaf('sample-alias', [alias]),
    made,
  };
}

interface Paths {
  readonly certFile: string;
  readonly keyFile: string;
}
interface Pair {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

function pathsOf(dir: string, name: string): Paths {
  return { certFile: join(dir, `${name}.pem`), keyFile: join(dir, `${name}.key`) };
}

/** The pair in these files, or null when anything about it is not as it should be. */
function readGood(paths: Paths, now: number, fits: (certificate: X509Certificate) => boolean): Pair | null {
  try {
    const pair = {
      certificatePem: readFileSync(paths.certFile, 'utf8'),
      privateKeyPem: readFileSync(paths.keyFile, 'utf8'),
    };
    const certificate = new X509Certificate(pair.certificatePem);
    const good =
      Date.parse(certificate.validTo) - now > RENEW_BEFORE_MS &&
      Date.parse(certificate.validFrom) <= now &&
      certificate.checkPrivateKey(createPrivateKey(pair.privateKeyPem)) &&
      fits(certificate);
    return good ? pair : null;
  } catch {
    // Missing or damaged files are the reason to make new ones.
    return null;
  }
}

/** Key first: a certificate without its key would look whole to a reader in between. */
function write(paths: Paths, pair: Pair): void {
  writeWhole(paths.keyFile, pair.privateKeyPem, 0o600);
  writeWhole(paths.certFile, pair.certificatePem, 0o644);
}

/** By rename, so that nobody sees half a file and an old file's wider mode is not kept. */
export function writeWhole(file: string, content: string, mode: number): void {
  const fresh = `${file}.${process.pid}.new`;
  rmSync(fresh, { force: true });
  // wx: never into a file, or through a link, that somebody else put there.
  writeFileSync(fresh, content, { mode, flag: 'wx' });
  renameSync(fresh, file);
}
