/** Records and batches for the store's tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKeyRing, masterKeyOf } from '../../src/seal/key-ring.ts';
import type { Pem } from '../../src/seal/packed-pem.ts';
import { sealPem, unsealPem } from '../../src/seal/sealed-pem.ts';
import { emptyTransaction } from '../../src/store/empty-transaction.ts';
import type { KeySource } from '../../src/store/master-key.ts';
import { openStore, type StoreOptions } from '../../src/store/open-store.ts';
import type { QuarantineEntry, SealedCertificate, Store, StoreBatch } from '../../src/store/types.ts';
import { packCertificate } from '../../src/table/certificate-ref.ts';
import type { Application } from '../../src/table/state.ts';
import { memoryLog } from '../support/memory-telemetry.ts';

const keyBytes = Buffer.alloc(32, 7);
export const testKey: KeySource = { kind: 'given', text: keyBytes.toString('hex') };
export const testRing = createKeyRing([masterKeyOf(keyBytes)]);
const anybody = { app: 'demo/any', alias: 'any.example' };
const certificates = new Map<string, SealedCertificate>();

/** A directory of the test's own, removed after it. */
export async function withDirectory(run: (dir: string) => Promise<void>): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), 'headgear-store-'));
  try {
    await run(join(base, 'state'));
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

/** Of every test's clock; as old as `quarantined` says. */
export const NOW = 1_800_000_000_000;

export function openTestStore(dir: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  return openStore({
    ...{ dir, maxQuarantined: 100, masterKey: testKey, log: memoryLog(), now: () => NOW },
    ...options,
  });
}

export function batch(part: Partial<StoreBatch> = {}): StoreBatch {
  return { ...emptyTransaction(1, 1), ...part };
}

export function application(appName: string, namespace = 'demo'): Application {
  return {
    key: `${namespace}/${appName}`,
    appName,
    namespace,
    scalable: true,
    ha: null,
    headGearId: '542b72abafec2de3aa000009',
    endpoints: [
      {
        gearId: '542b72abafec2de3aa000009',
        cartridge: 'haproxy-1.4',
        address: '172.16.4.200',
        port: 50847,
        protocols: ['http', 'ws'],
        types: ['load_balancer'],
        mappings: [{ frontend: '', backend: '' }],
      },
    ],
    aliases: [
      {
        alias: 'foo.example.com',
        announced: true,
        claim: 7,
        certificate: packCertificate({
          id: 'c0ffee',
          fingerprint: 'ab'.repeat(32),
          names: ['foo.example.com', '*.example.com'],
          keyType: 'rsa',
          keyBits: 2048,
          notBefore: 1_795_000_000_123,
          notAfter: 2_110_000_000_456,
          issuer: 'CN=Müller & Söhne',
          warnings: [],
        }),
        refusal: null,
      },
    ],
  };
}

/** Chain and key of a `certificate`. */
export function pemOf(made: SealedCertificate | null): Pem | null {
  return made === null ? null : unsealPem(testRing, { ...anybody, id: made.id }, made.sealed);
}

/** Of nobody in particular; the same bytes for the same id, under `testKey`. */
export function certificate(id: string, keyPem = `-----BEGIN PRIVATE KEY-----\n${id}\n`): SealedCertificate {
  const known = certificates.get(id);
  if (known !== undefined) return known;
  const pem = { chainPem: `-----BEGIN CERTIFICATE-----\n${id}\n`, keyPem };
  const made = { id, sealed: sealPem(testRing, { ...anybody, id }, pem) };
  certificates.set(id, made);
  return made;
}

export function quarantined(part: Partial<QuarantineEntry> = {}): Omit<QuarantineEntry, 'id'> {
  const { id: _, ...given } = { id: 0, ...part };
  return {
    at: NOW,
    source: 'bus:127.0.0.1:61613',
    messageId: null,
    code: 'SPI_YAML',
    reason: 'line 1: bad',
    action: null,
    app: null,
    body: Buffer.from('a: b: c'),
    bodyBytes: 7,
    ...given,
  };
}
