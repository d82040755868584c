import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Admin, type AdminOptions, startAdmin } from '../../src/admin/start-admin.ts';
import type { ControlView, QuarantineView, SettledView } from '../../src/admin/views.ts';
import type { CertificateView } from '../../src/control/certificate-view.ts';
import type { ControlStatus, EventReport } from '../../src/control/types.ts';
import { silentLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

/** What a test says and sees of the house behind admin. */
export interface House {
  apps: object[];
  certificates: CertificateView[];
  reason: string | null;
  /** What was asked for by hand. */
  readonly manual: object[];
  /** Events that came, with their source, and what is answered. */
  readonly taken: (readonly [text: string, source: string])[];
  takes: ReturnType<ControlView['takeEvents']>;
  /** What was asked for of quarantined messages. */
  readonly settled: (readonly [verb: string, ids: readonly number[] | null])[];
  quarantine: QuarantineView[];
  readonly listeners: Set<(report: EventReport) => void>;
  tell(report: Partial<EventReport>): void;
}

export interface AdminActor {
  readonly admin: Admin;
  readonly house: House;
  readonly url: string;
  readonly port: number;
  /** Folder that holds the token. */
  readonly stateDir: string;
}

/** Starts admin in front of a house of plain values. */
export async function startTestAdmin(
  changes: Partial<AdminOptions> & { readonly allowedHosts?: string[] } = {},
): Promise<AdminActor> {
  const listeners = new Set<(report: EventReport) => void>();
  const house: House = {
    apps: [],
    certificates: [],
    reason: null,
    manual: [],
    taken: [],
    takes: Promise.resolve({ status: 200, code: '', reason: '', results: [] }),
    settled: [],
    quarantine: [],
    listeners,
    tell(report) {
      for (const listener of listeners) listener({ ...someReport, ...report });
    },
  };
  const stateDir = mkdtempSync(join(tmpdir(), 'headgear-admin-'));
  const admin = await startAdmin({
    stateDir,
    config: { host: '127.0.0.1', port: 0, allowedHosts: changes.allowedHosts ?? [] },
    control: {
      status: () => someStatus,
      digest: () => '0123',
      notReady: () => house.reason,
      table: () => ({ generation: 7, total: house.apps.length, apps: house.apps }),
      tablePage: (offset, limit) => ({
        apps: house.apps.slice(offset, offset + limit),
        total: house.apps.length,
        next: offset + limit < house.apps.length ? offset + limit : null,
      }),
      app: (key) => (key === 'shop/store' ? { key } : null),
      host: (host) => (host === 'www.example.com' ? { host } : null),
      quarantined: (limit) => house.quarantine.slice(0, limit),
      certificates: (only) => house.certificates.filter(({ alerts }) => only === 'all' || alerts.length > 0),
      findings: () => [{ at: 0, code: 'TABLE_ALIAS_DISPLACED' }],
      subscribe: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      quarantineEntry: (id) => house.quarantine.find((entry) => entry.id === id) ?? null,
      settleQuarantine: (verb, ids) => {
        house.settled.push([verb, ids]);
        const known = ids ?? house.quarantine.map(({ id }) => id);
        return Promise.resolve(known.map((id) => ({ id, ...outcomeOf(id) })));
      },
      takeEvents: (text, source) => {
        house.taken.push([text.toString(), source]);
        return house.takes;
      },
      setFrozen: () => Promise.resolve({ status: 200, outcome: 'applied', code: '', reason: '', notes: [] }),
      manual: (request) => {
        house.manual.push(request);
        return Promise.resolve({ status: 200, outcome: 'applied', code: '', reason: '', notes: [] });
      },
    },
    history: {
      why: (host) => Promise.resolve({ host, now: null, because: [], lastMention: null }),
      changes: (from, to) => Promise.resolve({ entries: [{ number: 1, from, to }], cut: false }),
      tableAt: (at) => Promise.resolve(at < 1_000 ? null : { at, total: 0, apps: [] }),
    },
    plane: { status: () => Promise.resolve({ connections: 3 }) },
    shadow: null,
    probes: { results: () => [{ host: 'store-shop.apps.example.com', answer: 'awake' }] },
    bus: () => ({ connected: false }),
    intake: () => null,
    metrics: createMetrics(),
    log: silentLog,
    ...changes,
  });
  const { port } = admin.address();
  const stop = async (): Promise<void> => {
    await admin.stop();
    rmSync(stateDir, { recursive: true, force: true });
  };
  return { admin: { ...admin, stop }, house, port, stateDir, url: `http://127.0.0.1:${port}` };
}

/** 13 is refused anew. */
function outcomeOf(id: number): Omit<SettledView, 'id'> {
  if (id !== 13) return { outcome: 'applied', code: '', reason: '', notes: [] };
  return { outcome: 'refused', code: 'SPI_YAML', reason: 'still bad\u001b[31m', notes: [] };
}

/** Sends bytes as they are and gives back everything that comes until the end. */
export function exchange(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.write(request));
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      answer += text;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

export const someStatus: ControlStatus = {
  generation: 7,
  confirmedGeneration: 7,
  applications: 1,
  endpoints: 2,
  names: 3,
  certificates: 0,
  retiring: 0,
  quarantined: 1,
  waiting: 0,
  storeTrouble: null,
  storeRestored: null,
  snapshotAt: null,
  snapshotTrouble: null,
  lastEventAt: null,
  full: null,
  frozenSince: null,
};

export const someReport: EventReport = {
  number: 1,
  at: Date.UTC(2026, 10, 21, 12, 0, 0),
  source: 'intake:127.0.0.1',
  messageId: 'm-1',
  action: 'add_alias',
  app: 'shop/store',
  subject: 'www.example.com',
  outcome: 'applied',
  code: '',
  reason: '',
  notes: [],
  decisions: [],
  generation: 7,
  lagMs: 3,
};
