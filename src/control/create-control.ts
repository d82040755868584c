/**
 * The one loop of the control plane: delivery -> event -> judged certificate -> state -> store -> ack -> publish. One batch at a
 * time, in order; nothing is acked before it is durable, nothing is published before it is durable.
 */
import type { AppKey } from '../spi/events.ts';
import { emptyTransaction } from '../store/empty-transaction.ts';
import { reachedBound } from '../table/bounds.ts';
import { keepAwakeTargets } from '../table/keep-awake-targets.ts';
import { isEmpty } from '../table/project.ts';
import { completeState, indexApplications } from '../table/recover-state.ts';
import { emptyState, type RoutingState } from '../table/state.ts';
import { createAccount } from './account.ts';
import { createBatch, projectSafely } from './batch.ts';
import { createBreather } from './breather.ts';
import { createCertificateWatch } from './certificate-watch.ts';
import { createCommitter } from './commit-forever.ts';
import type { Control, ControlOptions } from './control.ts';
import { createControlMetrics } from './control-metrics.ts';
import { createCostly } from './costly.ts';
import { firstTable } from './first-table.ts';
import { batchLength, type FreezeVerb, type Frozen, freezeWork, frozenAgain, saidOf } from './freeze.ts';
import type { Said, Tools } from './handle-delivery.ts';
import { backoffMs, pause, wordsOf } from './pause.ts';
import { createPublisher } from './publisher.ts';
import { dropWork, type QuarantineTools, replayWork } from './quarantine-work.ts';
import { createRetirements } from './retirements.ts';
import { createTableDigest } from './table-digest.ts';
import { createReporter } from './tell.ts';
import type { ControlStatus } from './types.ts';
import { awaitedWork, type CommandResult, commandWork, deliveryWork, type Work } from './work.ts';

/** Work between two turns of the event loop, milliseconds: judging one certificate costs about as much. */
const sliceMs = 5;
/** How long a stop waits for the data plane to confirm what was handed to it, milliseconds. */
const maxStopWaitMs = 2_000;

export type { Control, ControlOptions, QuarantineDesk } from './control.ts';

export function createControl(options: ControlOptions): Control {
  const { config, policy, store, keepAwake, metrics } = options;
  const log = options.log.child('control');
  const now = options.now ?? Date.now;
  const stopping = new AbortController();
  const { signal } = stopping;
  const costly = createCostly(config.events, log);
  const tools: Tools = {
    policy,
    log,
    maxBodyBytes: config.events.maxBodyBytes,
    readEvent: options.readEvent ?? costly.read,
    judge: options.judge ?? costly.judge,
    seal: store.seal,
  };
  const batchTools = { policy, store, log };
  const breathe = createBreather(sliceMs);
  const measured = createControlMetrics(metrics, status);
  const committer = createCommitter(store, log, measured, signal);
  const publisher = createPublisher(options.publish, log, signal);
  const reporter = createReporter(log);
  const account = createAccount(reporter, measured, log);

  const retirements = createRetirements(
    ({ app, alias, retiresAt }) => {
      const event = { action: 'retire_ssl', app, alias, retiresAt } as const;
      void submit((resolve) => commandWork(event, 'clock', now(), tools, resolve));
    },
    now,
    policy.windows.certificateGraceMs,
  );

  const certificateWatch = createCertificateWatch({
    ...{ policy, alertDays: config.certificates.expiryAlertDays, log, metrics, now },
    state: () => state,
    platform: options.platformCertificates ?? (() => []),
  });

  const digest = createTableDigest(() => state, createBreather(sliceMs), signal);

  let state: RoutingState = emptyState;
  let generation = 0;
  let frozen: Frozen | null = null;
  let certificates = 0;
  let lastEventAt: number | null = null;
  let recovered = false;
  let following: Promise<void> | null = null;
  const waiting: Work[] = [];
  let running: Promise<void> | null = null;

  function status(): ControlStatus {
    const { restored, snapshotAt, snapshotTrouble } = store.health();
    return {
      generation,
      confirmedGeneration: publisher.confirmedGeneration(),
      applications: state.apps.size,
      endpoints: state.endpointOwners.size,
      names: state.names.size,
      certificates,
      retiring: retirements.size(),
      quarantined: store.quarantineSize(),
      waiting: waiting.length,
      storeTrouble: committer.trouble(),
      storeRestored: restored,
      snapshotAt,
      snapshotTrouble,
      lastEventAt,
      full: reachedBound(state, policy),
      frozenSince: frozen?.since ?? null,
    };
  }

  async function settle(works: readonly Work[]): Promise<void> {
    const [first] = works;
    if (first?.freeze !== undefined) return settleFreeze(first, first.freeze);
    const batch = createBatch(state, batchTools, frozen);
    const said: Said[] = [];
    for (const work of works) {
      const found = work.handle(batch.state());
      const handled = found instanceof Promise ? await found : found;
      batch.add(handled, work);
      // Not the whole: the states between would live as long as the batch, several kilobytes an event.
      said.push({ told: handled.told, findings: handled.findings });
      const breath = breathe();
      if (breath !== null) await breath;
    }
    const sealed = batch.seal(generation);
    if (sealed.transaction !== null && !(await committer.commit(sealed.transaction))) {
      for (const work of works) work.dropped();
      return;
    }
    // Durable from here on.
    for (const key of sealed.touched) {
      certificateWatch.changed(state.apps.get(key), sealed.state.apps.get(key));
      digest.changed(state.apps.get(key), sealed.state.apps.get(key));
    }
    state = sealed.state;
    generation = sealed.generation;
    certificates += sealed.certificates;
    for (const [i, work] of works.entries()) settled(work, said[i]);
    if (sealed.changes !== null) publisher.offer(sealed.changes);
    for (const key of sealed.touched) {
      frozen?.keys.add(key);
      reconcile(key);
    }
    tell(works, said);
  }

  /** What changed within a freeze is one change of the table at its end. */
  async function settleFreeze(work: Work, verb: FreezeVerb): Promise<void> {
    const handled = await work.handle(state);
    const parts =
      verb === 'thaw' && frozen !== null
        ? projectSafely(frozen.published, state, [...frozen.keys], batchTools)
        : null;
    const next = parts === null || isEmpty(parts) ? generation : generation + 1;
    if (handled.told.outcome === 'applied') {
      const freeze = verb === 'freeze' ? { since: now() } : verb;
      const committed = await committer.commit({ ...emptyTransaction(state.nextClaim, next), freeze });
      if (!committed) return work.dropped();
      const touched = frozen?.keys ?? [];
      frozen = freeze === 'thaw' ? null : { since: freeze.since, published: state, keys: new Set() };
      generation = next;
      if (parts !== null && !isEmpty(parts)) publisher.offer({ ...parts, generation });
      for (const key of touched) reconcile(key);
      log.warn(saidOf(verb), { code: `CONTROL_${verb.toUpperCase()}` });
    }
    settled(work, handled);
    tell([work], [handled]);
  }

  function settled(work: Work, said: Said | undefined): void {
    try {
      if (said !== undefined) work.durable(said);
    } catch (error) {
      const fields = { code: 'CONTROL_ACK_FAILED', source: work.source, reason: wordsOf(error) };
      log.warn('an event could not be acked; it will come again', fields);
    }
  }

  function reconcile(key: AppKey): void {
    retirements.reconcile(key, state.apps.get(key));
    // What is served goes on being kept awake.
    if (frozen !== null && recovered) return;
    try {
      keepAwake.reconcile(key, keepAwakeTargets(frozen?.published ?? state, key, policy));
    } catch (error) {
      const fields = { code: 'CONTROL_KEEP_AWAKE_FAILED', app: key, reason: wordsOf(error) };
      log.error('keep-awake targets could not be set', fields);
    }
  }

  function tell(works: readonly Work[], said: readonly Said[]): void {
    lastEventAt = now();
    account.give(works, said, generation, lastEventAt);
  }

  async function run(): Promise<void> {
    // What arrives within one turn of the event loop is one batch.
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (let faults = 0; waiting.length > 0 && !signal.aborted; ) {
      const works = waiting.splice(0, batchLength(waiting, config.events.maxBatch));
      try {
        await settle(works);
        faults = 0;
      } catch (error) {
        // Only what comes before the commit can throw, so nothing of the batch happened: it stays first in the row. (To drop it
        // instead would lose acked order, and the message bus sends it again only after a reconnect.)
        waiting.unshift(...works);
        faults += 1;
        const fields = { code: 'CONTROL_LOOP_FAILED', error: error instanceof Error ? error.name : '' };
        log.error('a batch of events could not be prepared: a fault in this program; trying again', fields);
        await pause(backoffMs(faults), signal);
      }
    }
  }

  /** What a start has to do besides, once its table serves; events wait for it. */
  async function follow(keys: ReadonlySet<AppKey>): Promise<void> {
    for (const key of keys) {
      certificateWatch.changed(undefined, state.apps.get(key));
      reconcile(key);
      const breath = breathe();
      if (breath !== null) await breath;
      if (signal.aborted) return;
    }
    recovered = true;
    certificateWatch.start();
    kick();
  }

  function kick(): void {
    if (!recovered || signal.aborted || waiting.length === 0) return;
    running ??= run().finally(() => {
      running = null;
      kick();
    });
  }

  function submit(work: (resolve: (result: CommandResult) => void) => Work): Promise<CommandResult> {
    return new Promise((resolve) => {
      const made = work(resolve);
      if (signal.aborted) return made.dropped();
      waiting.push(made);
      kick();
    });
  }

  function desk(): QuarantineTools {
    return { tools, entry: store.quarantineEntry, at: now() };
  }

  return {
    async recover(prepared = null) {
      const stored = store.recover();
      const ahead = prepared?.apps === stored.apps ? prepared : null;
      const indexed = ahead?.state ?? indexApplications(stored.apps, policy);
      state = completeState(indexed, stored.nextClaim, stored.tombstones);
      // One further, so that the first table is never generation 0, and a policy changed since has a generation of its own.
      generation = stored.generation + 1;
      for (const app of state.apps.values()) {
        for (const { certificate } of app.aliases) if (certificate !== null) certificates += 1;
      }
      if (stored.frozen !== undefined) frozen = frozenAgain(stored, stored.frozen, policy);
      const published = frozen?.published ?? state;
      const made = frozen === null ? ahead : null;
      const known = made?.certificates() ?? null;
      const table =
        made === null || known === null
          ? firstTable(published, batchTools, store, made?.routes ?? null)
          : { ...made.routes, certificates: known };
      store.forgetRead();
      publisher.offer({ ...table, generation });
      await publisher.settled();
      following = follow(new Set([...state.apps.keys(), ...published.apps.keys()]));
    },

    deliver(delivery) {
      if (signal.aborted) return;
      waiting.push(deliveryWork(delivery, tools));
      kick();
    },
    take: (event) => submit((resolve) => awaitedWork(event, tools, resolve)),
    command: (event) => submit((resolve) => commandWork(event, 'manual', now(), tools, resolve)),
    quarantine: {
      entry: store.quarantineEntry,
      ids: store.quarantineIds,
      replay: (id) => submit((resolve) => replayWork(id, desk(), resolve)),
      drop: (id) => submit((resolve) => dropWork(id, desk(), resolve)),
    },

    status,
    digest: digest.value,
    state: () => state,
    subscribe: reporter.subscribe,
    quarantined: (limit) => store.quarantined(limit),
    findings: account.findings,
    setFrozen: (verb) => submit((resolve) => freezeWork(verb, now(), () => frozen !== null, resolve)),
    certificates: certificateWatch,

    async stop() {
      stopping.abort();
      retirements.stop();
      certificateWatch.stop();
      await following;
      if (running !== null) await running;
      for (const work of waiting.splice(0)) work.dropped();
      await costly.stop();
      // The timer is given up as soon as the data plane has answered.
      const waited = new AbortController();
      await Promise.race([publisher.settled(), pause(maxStopWaitMs, waited.signal)]);
      waited.abort();
    },
  };
}
