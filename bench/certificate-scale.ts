/**
 * 100,000 alias certificates: how long a start takes with them, and what one that no handshake asked for costs in memory. A few keys
 * and chains serve all names, each sealed for its own alias as real ones are. Against the same aliases without certificates.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { judgeCertificate } from '../src/pem/judge.ts';
import type { Judged } from '../src/pem/types.ts';
import { emptyTransaction } from '../src/store/empty-transaction.ts';
import { openStore } from '../src/store/open-store.ts';
import type { StoreBatch } from '../src/store/types.ts';
import { certificateId, packCertificate } from '../src/table/certificate-ref.ts';
import type { Application } from '../src/table/state.ts';
import { silentLog } from '../src/telemetry/log.ts';
import { testCertificate } from '../test/support/certificates.ts';
import type { Measured } from './certificate-scale-start.ts';

const APPS_A_BATCH = 2_000;
const ROUNDS = 3;

export interface CertificateScale {
  readonly certificates: number;
  /** From the start of the process to ready, listeners and all; the least of the rounds, which other work disturbs least. */
  readonly startMs: number;
  /** CPU of the process itself: what the start takes on a machine that has nothing else to do. */
  readonly startCpuMs: number;
  readonly startWithoutMs: number;
  readonly startWithoutCpuMs: number;
  /** Beyond its PEM, and beyond the alias itself. */
  readonly bytesPerCertificate: number;
  readonly pemBytes: number;
  readonly storeMiB: number;
}

/** Prints and returns what was measured. BENCH_CERTIFICATES and BENCH_ALIASES (of an application) change 100,000 and 1. */
export async function run(): Promise<CertificateScale> {
  const { BENCH_CERTIFICATES = '100000', BENCH_ALIASES = '1' } = process.env;
  const result = await measureScale(Number(BENCH_CERTIFICATES), Number(BENCH_ALIASES));
  console.table([result]);
  return result;
}

export async function measureScale(certificates: number, aliasesPerApp: number): Promise<CertificateScale> {
  const folder = mkdtempSync(join(tmpdir(), 'headgear-bench-'));
  try {
    const pems = [1, 2].map((edition) => judged(edition));
    const pemBytes = Math.max(...pems.map(({ chainPem, keyPem }) => chainPem.length + keyPem.length));
    const dirs = { with: join(folder, 'with'), without: join(folder, 'without') };
    await fill(dirs.with, certificates, aliasesPerApp, pems);
    await fill(dirs.without, certificates, aliasesPerApp, null);
    const full: Measured[] = [];
    const bare: Measured[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      full.push(await startChild(folder, dirs.with));
      bare.push(await startChild(folder, dirs.without));
    }
    const least = (list: readonly Measured[], of: keyof Measured) => Math.min(...list.map((one) => one[of]));
    const bytes = (least(full, 'bytes') - least(bare, 'bytes')) / certificates;
    return {
      certificates,
      startMs: Math.round(least(full, 'readyMs')),
      startCpuMs: Math.round(least(full, 'cpuMs')),
      startWithoutMs: Math.round(least(bare, 'readyMs')),
      startWithoutCpuMs: Math.round(least(bare, 'cpuMs')),
      bytesPerCertificate: Math.round(bytes - pemBytes),
      pemBytes,
      storeMiB: Math.round(statSync(join(dirs.with, 'state.mdb')).size / 1_048_576),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Good = Extract<Judged, { ok: true }>;

function judged(edition: number): Good {
  const { chainPem, privateKeyPem } = testCertificate(['*.bench.test', 'www.bench.test'], edition);
  const verdict = judgeCertificate({
    ...{ certificatePem: chainPem, privateKeyPem, passPhrase: null, alias: null, now: Date.now() },
  });
  if (!verdict.ok) throw new Error(verdict.code);
  return verdict;
}

/** As the control loop would have left it after as many events. */
async function fill(
  dir: string,
  certificates: number,
  aliasesPerApp: number,
  pems: readonly Good[] | null,
): Promise<void> {
  const store = await openStore({ dir, maxQuarantined: 1, log: silentLog, snapshotIntervalMs: 86_400_000 });
  const apps = Math.ceil(certificates / aliasesPerApp);
  for (let first = 0; first < apps; first += APPS_A_BATCH) {
    const count = Math.min(APPS_A_BATCH, apps - first);
    const records = Array.from({ length: count }, (_, n) => application(first + n, aliasesPerApp, pems));
    const sealed = records.flatMap(({ key, aliases }) =>
      aliases.flatMap(({ alias, certificate }) => {
        const pem = pems?.find(
          ({ facts }) => certificate !== null && facts.id === certificateId(certificate),
        );
        if (pem === undefined) return [];
        const { chainPem, keyPem, facts } = pem;
        return [{ app: key, alias, certificate: store.seal(key, alias, { id: facts.id, chainPem, keyPem }) }];
      }),
    );
    const batch: StoreBatch = {
      ...emptyTransaction(certificates, 1),
      apps: records.map((app) => [app.key, app]),
      certificates: sealed,
    };
    await store.commit(batch);
  }
  await store.close();
}

function application(number: number, aliasesPerApp: number, pems: readonly Good[] | null): Application {
  const gearId = number.toString(16).padStart(24, '0');
  const endpoint = (which: number) => ({
    ...{ gearId, cartridge: 'haproxy-1.4', address: `10.${(number >> 12) & 255}.${(number >> 4) & 255}.1` },
    ...{ port: 35_531 + (number & 15) * 2 + which, protocols: ['http', 'ws'], types: ['load_balancer'] },
    mappings: [{ frontend: '', backend: '' }],
  });
  return {
    ...{ key: `ns${number % 1_000}/app${number}`, appName: `app${number}`, namespace: `ns${number % 1_000}` },
    ...{ scalable: true, ha: true, headGearId: gearId, endpoints: [endpoint(0), endpoint(1)] },
    aliases: Array.from({ length: aliasesPerApp }, (_, n) => {
      const claim = number * aliasesPerApp + n;
      const facts = pems?.[claim % pems.length]?.facts;
      const certificate = facts === undefined ? null : packCertificate({ ...facts, warnings: [] });
      return { alias: `www${claim}.bench.test`, announced: true, claim, certificate, refusal: null };
    }),
  };
}

async function startChild(folder: string, stateDir: string): Promise<Measured> {
  const [wildcard] = ['*.apps.bench.test'].map((name) => testCertificate([name]));
  const [certFile, keyFile] = [join(folder, 'wildcard.pem'), join(folder, 'wildcard.key')];
  writeFileSync(certFile, wildcard?.chainPem ?? '');
  writeFileSync(keyFile, wildcard?.privateKeyPem ?? '', { mode: 0o600 });
  const listener = [{ host: '127.0.0.1', port: 0 }];
  const config = {
    ...{ cloudDomain: 'apps.bench.test', stateDir, admin: { port: 0 }, intake: { port: 0 } },
    ...{ listeners: { http: listener, https: listener }, tls: { certificates: [{ certFile, keyFile }] } },
    ...{ keepAwake: { enabled: false }, log: { file: join(folder, 'log') }, accessLog: { file: 'off' } },
  };
  const configFile = join(folder, 'config.json');
  writeFileSync(configFile, JSON.stringify(config));
  const program = fileURLToPath(new URL('./certificate-scale-start.js', import.meta.url));
  const child: ChildProcess = fork(program, [configFile], { execArgv: ['--expose-gc'] });
  const [measured] = (await once(child, 'message')) as [Measured];
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
  return measured;
}
