/**
 * The composition root: builds every room in order, joins the two planes, drains and stops. Bad configuration ends here, before
 * anything binds; the recovered table serves before the message bus is reached.
 */
import type { AddressInfo } from 'node:net';
import { controlView } from './admin/control-view.ts';
import { startAdmin } from './admin/start-admin.ts';
import { watchClientRules } from './certificates/client-demands.ts';
import { watchPlatformCertificates } from './certificates/platform-source.ts';
import { startTicketSource } from './certificates/ticket-source.ts';
import { checkStart } from './check-start.ts';
import { ConfigError } from './config/config-error.ts';
import type { Config } from './config/schema.ts';
import { type Control, createControl } from './control/create-control.ts';
import { prepareTable } from './control/first-table.ts';
import { createProvenance } from './control/provenance.ts';
import { type OwnListener, ownListenerKeys, tablePolicyOf } from './control/table-policy.ts';
import { createPlane, type Plane } from './plane/create-plane.ts';
import { startKeepAwake } from './probes/keep-awake.ts';
import { machineAddresses } from './resolver/node-identity.ts';
import { unsealPem } from './seal/sealed-pem.ts';
import { certificateFingerprints } from './shadow/fingerprints.ts';
import { followIncumbent, type Incumbent } from './shadow/follow-incumbent.ts';
import { createStapler, type Stapler } from './stapling/stapler.ts';
import { startIntake } from './stomp/intake.ts';
import { startSubscriber } from './stomp/subscriber.ts';
import { startKeyCare } from './store/key-care.ts';
import { keySourceOf, withoutKeys } from './store/master-key.ts';
import { openStore } from './store/open-store.ts';
import type { Opening } from './store/opening.ts';
import { createAccessLog } from './telemetry/access-log.ts';
import { createLog } from './telemetry/log.ts';
import { createMetrics } from './telemetry/metrics.ts';
import { createRequestMetrics } from './telemetry/request-metrics.ts';
import type { Log } from './telemetry/types.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Headgear {
  /** Where it really listens: a port 0 of the configuration is resolved here. */
  readonly addresses: {
    readonly http: readonly AddressInfo[];
    readonly https: readonly AddressInfo[];
    readonly admin: Address;
    readonly intake: Address | null;
  };
  readonly control: Control;
  readonly plane: Plane;
  readonly log: Log;
  /** Opens log files anew, after a rotation. */
  reopenLogs(): void;
  /** Takes no more events, drains open requests, closes everything. */
  stop(): Promise<void>;
}

/**
 * Starts everything. `name` stands for the configuration in messages (its file); `nginxConfDir` is for a shadow, to hold its table against;
 * `opening`: of the store, where it has begun. Rejects with what an operator has to mend.
 */
export async function startHeadgear(
  given: Config,
  name: string,
  nginxConfDir: string | null = null,
  opening: Opening | null = null,
): Promise<Headgear> {
  // Whoever keeps the configuration must not keep the master key on the heap with it.
  const config: Config = { ...given, masterKey: {} };
  const { problems, warnings, platformCertificates: firstCertificates, clientRules } = checkStart(given);
  if (problems.length > 0) throw new ConfigError(name, problems);

  const log = createLog(config.log);
  for (const warning of warnings) log.warn('configuration', { ...warning });
  const metrics = createMetrics();
  const accessLog = createAccessLog(config.accessLog, log);
  const requestMetrics = createRequestMetrics(metrics);
  /** What was started, to be stopped in the opposite order. */
  const running: (() => unknown)[] = [log.close, accessLog.close];
  const stop = async (): Promise<void> => {
    for (const end of running.splice(0).reverse()) await end();
  };
  try {
    const masterKey = keySourceOf(given.masterKey, given.stateDir);
    // Filled as the listeners come up, because a port 0 is known only then; no event is judged before.
    const ownListeners = new Set<string>();
    const policy = tablePolicyOf(config, ownListeners);
    const opened = openStore({
      dir: config.stateDir,
      journal: config.journal,
      maxQuarantined: config.events.maxQuarantined,
      maxQuarantineBytes: config.events.maxQuarantineBytes,
      maxQuarantineAgeMs: config.events.maxQuarantineAgeMs,
      snapshotIntervalMs: config.store.snapshotIntervalMs,
      masterKey,
      opening,
      isRecovered: true,
      log,
    });
    // Told below.
    opened.catch(() => undefined);
    // In the time in which this thread would wait for the rest of the store to be verified.
    const early = (await opening?.apps) ?? null;
    const prepared = early === null ? null : prepareTable(early, policy);
    if (prepared !== null) opening?.eachCertificate(prepared.take);
    const store = await opened;
    running.push(store.close);
    const source = withoutKeys(masterKey);
    const keyCare = startKeyCare({ store, source, log: log.child('store'), metrics });
    running.push(keyCare.stop);
    let stapler: Stapler | null = null;
    const plane = createPlane({
      config,
      onCertificateUse: (certificate) => stapler?.note(certificate),
      platformCertificates: firstCertificates,
      unseal: (certificate) => unsealPem(store.keys, certificate, certificate.sealed),
      clientRules,
      log: log.child('plane'),
      metrics,
      record(context, durationUs) {
        accessLog.write(context, durationUs);
        requestMetrics.record(context, durationUs);
      },
      recordConnection: accessLog.write,
    });
    running.push(() => plane.drain(config.drainTimeoutMs));
    const tlsMeans = { config: config.tls, log: log.child('tls'), metrics };
    const { tickets, ocsp, maxCachedContexts } = config.tls;
    stapler = createStapler({
      ...{ ...tlsMeans, config: ocsp, maxCertificates: maxCachedContexts },
      ...{ publish: plane.setStaple, isInUse: plane.usesCertificate },
    });
    running.push(stapler.stop);
    // Before anybody asks: a certificate may forbid its clients to do without (RFC 7633).
    const noteAll = (certificates: typeof firstCertificates): void => {
      for (const { id, chainPem } of certificates) stapler?.note({ id, chainPem });
    };
    noteAll(firstCertificates);
    let platformNow = firstCertificates;
    const onRenewed = (certificates: typeof firstCertificates): void => {
      platformNow = certificates;
      plane.setPlatformCertificates(certificates);
      noteAll(certificates);
    };
    running.push(watchPlatformCertificates({ ...tlsMeans, publish: onRenewed }).stop);
    running.push(startTicketSource({ ...tlsMeans, config: tickets, publish: plane.setTicketSecrets }).stop);
    const clientMeans = { ...tlsMeans, config: config.clientCertificates };
    running.push(watchClientRules({ ...clientMeans, publish: plane.setClientRules }).stop);
    const keepAwake = startKeepAwake({ config: config.keepAwake, log: log.child('probes'), metrics });
    running.push(keepAwake.stop);
    let incumbent: Incumbent | null = null;
    const publish = async (changes: Parameters<Plane['apply']>[0]): Promise<void> => {
      await plane.apply(changes);
      incumbent?.changed(changes);
    };
    const platformCertificates = (): typeof platformNow => platformNow;
    const control = createControl({
      ...{ config, policy, store, publish, keepAwake, platformCertificates, log, metrics },
    });
    running.push(control.stop);
    if (nginxConfDir !== null) {
      const fingerprintOf = certificateFingerprints(control.state);
      const means = { nginxConfDir, config: config.shadow, policy, fingerprintOf, log, metrics };
      incumbent = followIncumbent(means);
      running.push(incumbent.stop);
    }
    await control.recover(prepared);

    await plane.listen();
    const { maxBodyBytes } = config.events;
    const { deliver } = control;
    let intakeStatus: () => object | null = () => null;
    let busStatus: () => object | null = () => null;
    const admin = await startAdmin({
      config: config.admin,
      stateDir: config.stateDir,
      control: controlView(control, policy),
      history: createProvenance(store, control.state, policy),
      plane,
      shadow: incumbent,
      probes: keepAwake,
      bus: () => busStatus(),
      intake: () => intakeStatus(),
      metrics,
      log,
    });
    running.push(admin.stop);
    const own: OwnListener[] = [...plane.http, ...plane.https].map(({ address, port }) => ({
      host: address,
      port,
    }));
    own.push(admin.address());
    let intakeAddress: Address | null = null;
    if (config.intake !== undefined) {
      // The set is whole before the first event can be read from the socket.
      const intake = await startIntake({
        config: config.intake,
        maxBodyBytes,
        deliver,
        log: log.child('intake'),
      });
      running.push(intake.stop);
      intakeAddress = intake.address();
      intakeStatus = intake.status;
      own.push(intakeAddress);
    }
    for (const key of ownListenerKeys(own, machineAddresses())) ownListeners.add(key);
    if (config.bus !== undefined) {
      const bus = startSubscriber({ config: config.bus, maxBodyBytes, deliver, log: log.child('bus') });
      running.push(bus.stop);
      busStatus = bus.status;
    }
    return {
      addresses: { http: plane.http, https: plane.https, admin: admin.address(), intake: intakeAddress },
      control,
      plane,
      log,
      reopenLogs() {
        log.reopen();
        accessLog.reopen();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
