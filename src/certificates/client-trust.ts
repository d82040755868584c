/** What the certificates of clients are verified against: CA certificates and revocation lists, read and judged as a whole. */
import { createHash, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Config } from '../config/schema.ts';
import { type PemBlock, readPemBlocks, toPem } from '../pem/blocks.ts';
import { readSmallFile } from './small-file.ts';

export type ClientCertificateRule = Config['clientCertificates']['rules'][number];

export interface ClientTrust {
  /** Of the contents alone: the same files, read again, are the same trust. */
  readonly id: string;
  readonly ca: readonly string[];
  readonly crl: readonly string[];
}

export type LoadedTrust =
  | { readonly ok: true; readonly trust: ClientTrust }
  | {
      readonly ok: false;
      readonly key: 'caFile' | 'crlFile';
      readonly code: string;
      readonly reason: string;
    };

/** Bundles of public CAs are some hundred KiB; revocation lists of large CAs some MiB. */
const MAX_CA_BYTES = 1_048_576;
const MAX_CRL_BYTES = 16 * 1_048_576;
const MAX_BLOCKS = 1_024;

/** Reads the files of a rule (`CERTIFICATES_FILE`, `CERTIFICATES_CLIENT_CA`, `CERTIFICATES_CLIENT_CRL`). Never throws. */
export function loadClientTrust(rule: Pick<ClientCertificateRule, 'caFile' | 'crlFile'>): LoadedTrust {
  const caText = readSmallFile(rule.caFile, MAX_CA_BYTES);
  if (!caText.ok) return { ok: false, key: 'caFile', code: 'CERTIFICATES_FILE', reason: caText.reason };
  const ca = certificatesIn(String(caText.content), rule.caFile);
  if (typeof ca === 'string') return { ok: false, key: 'caFile', code: 'CERTIFICATES_CLIENT_CA', reason: ca };
  let crl: readonly string[] = [];
  if (rule.crlFile !== undefined) {
    const crlText = readSmallFile(rule.crlFile, MAX_CRL_BYTES);
    if (!crlText.ok) return { ok: false, key: 'crlFile', code: 'CERTIFICATES_FILE', reason: crlText.reason };
    const lists = blocksIn(String(crlText.content), 'X509 CRL', rule.crlFile, 'revocation list');
    const trouble = typeof lists === 'string' ? lists : troubleWithLists(lists, rule.crlFile);
    if (typeof lists === 'string' || trouble !== null) {
      return { ok: false, key: 'crlFile', code: 'CERTIFICATES_CLIENT_CRL', reason: trouble ?? '' };
    }
    crl = lists;
  }
  const hash = createHash('sha256');
  for (const pem of [...ca, '', ...crl]) hash.update(pem).update('\0');
  return { ok: true, trust: { id: hash.digest('hex').slice(0, 32), ca, crl } };
}

/** The CA certificates of a bundle, or what is wrong with it: one bad block refuses it whole, so that no half of it is ever believed. */
function certificatesIn(text: string, file: string): readonly string[] | string {
  const pems = blocksIn(text, 'CERTIFICATE', file, 'certificate');
  if (typeof pems === 'string') return pems;
  for (const [n, pem] of pems.entries()) {
    try {
      if (!new X509Certificate(pem).ca) return `certificate ${n + 1} of ${file} is no CA certificate`;
    } catch {
      return `certificate ${n + 1} of ${file} is not a certificate`;
    }
  }
  return pems;
}

function blocksIn(text: string, label: string, file: string, what: string): readonly string[] | string {
  const read = readPemBlocks(text, 'certificate', MAX_BLOCKS);
  if (!read.ok) return `${file} is not valid PEM (${read.code})`;
  const found = read.blocks.filter((block: PemBlock) => block.label === label);
  if (found.length === 0) return `there is no ${what} in ${file}`;
  return found.map((block) => toPem(label, block.der));
}

function troubleWithLists(lists: readonly string[], file: string): string | null {
  try {
    createSecureContext({ ca: [], crl: [...lists] });
    return null;
  } catch (error) {
    return `OpenSSL does not take ${file} (${error instanceof Error && 'code' in error ? String(error.code) : 'unknown'})`;
  }
}
