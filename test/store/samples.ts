/** Records and batches for the store's tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore, type StoreOptions } from '../../src/store/open-store.ts';
import type { QuarantineEntry, Store, StoreBatch } from '../../src/store/types.ts';
import type { PublishedCertificate } from '../../src/table/routing-table.ts';
import type { Application } from '../../src/table/state.ts';
import { memoryLog } from '../support/memory-telemetry.ts';

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
  return openStore({ dir, maxQuarantined: 100, log: memoryLog(), now: () => NOW, ...options });
}

export function batch(part: Partial<StoreBatch> = {}): StoreBatch {
  return {
    apps: [],
    tombstones: [],
    certificates: [],
    quarantine: [],
    forgetQuarantineOf: [],
    dropQuarantine: [],
    nextClaim: 1,
    generation: 1,
    ...part,
  };
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
        certificate: {
          id: 'c0ffee',
          fingerprint: 'ab'.repeat(32),
          names: ['foo.example.com', '*.example.com'],
          keyType: 'rsa',
          keyBits: 2048,
          notBefore: 1_795_000_000_123,
          notAfter: 2_110_000_000_456,
          issuer: 'CN=Müller & Söhne',
          warnings: [],
        },
        refusal: null,
      },
    ],
  };
}

export function certificate(id: string): PublishedCertificate {
  return {
    id,
    chainPem: `-----BEGIN CERTIFICATE-----\n${id}\n`,
    keyPem: `-----BEGIN PRIVATE KEY-----\n${id}\n`,
  };
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
