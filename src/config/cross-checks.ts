/** Checks of a configuration that need more than one key, or more than a type. */
import { isIP } from 'node:net';
import { isCidr, isLoopbackHost } from './addresses.ts';
import { checkClientCertificates } from './check-client-certificates.ts';
import { checkHttps } from './check-https.ts';
import { checkPassThrough } from './check-pass-through.ts';
import { checkUpstreamTls } from './check-upstream-tls.ts';
import type { Problem } from './problem.ts';
import type { BusConfig, Config, IntakeConfig } from './schema.ts';

export interface CrossProblems {
  readonly problems: readonly Problem[];
  /** Works, but hardly what was meant. */
  readonly warnings: readonly Problem[];
}

type Say = (path: string, message: string) => void;

/** All of them; the order follows the file. */
export function crossProblems(config: Config): CrossProblems {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const refuse: Say = (path, message) => problems.push({ path, message });
  const warn: Say = (path, message) => warnings.push({ path, message });

  checkNames(config, warn);
  checkListeners(config, refuse, warn);
  if (config.bus !== undefined) checkBus(config.bus, refuse, warn);
  if (config.intake !== undefined) checkIntake(config.intake, refuse, warn);
  if (config.bus === undefined && config.intake === undefined) {
    warn('', 'neither bus nor intake is configured: the routing table can never change');
  }
  if (config.masterKey.file !== undefined && config.masterKey.key !== undefined) {
    refuse('masterKey.file', 'masterKey.key (HEADGEAR_MASTER_KEY) is given as well: keep one of them');
  }
  checkAddresses(config, refuse);
  checkApplications(config, refuse);
  checkPassThrough(config, refuse, warn);
  checkUpstreamTls(config, refuse, warn);
  checkClientCertificates(config, refuse, warn);
  checkHttps(config, refuse, warn);
  return { problems, warnings };
}

function checkNames(config: Config, warn: Say): void {
  if (config.names.haPrefix === '' && config.names.haSuffix === '') {
    warn('names', 'haPrefix and haSuffix are both empty: the ha- name of an application is its plain name');
  }
}

function checkListeners(config: Config, refuse: Say, warn: Say): void {
  const { http, https } = config.listeners;
  if (http.length === 0 && https.length === 0) {
    warn('listeners', 'neither http nor https is configured: no client can be served');
  }
  if (https.length > 0 && config.tls.certificates.length === 0) {
    refuse(
      'tls.certificates',
      'listeners.https needs at least one certificate here: the default for unknown names',
    );
  }
  if (!isLoopbackHost(config.admin.host)) {
    refuse(
      'admin.host',
      `must be a loopback address (127.0.0.1, ::1 or localhost), not ${JSON.stringify(config.admin.host)}: ` +
        'the admin API asks readers for no password; reach it from elsewhere through an SSH tunnel',
    );
  }
  const taken = new Map<string, string>();
  const claims = [
    ...http.map((listener, n) => ({ ...listener, path: `listeners.http[${n}]` })),
    ...https.map((listener, n) => ({ ...listener, path: `listeners.https[${n}]` })),
    { ...config.admin, path: 'admin' },
    ...(config.intake === undefined ? [] : [{ ...config.intake, path: 'intake' }]),
  ];
  for (const { host, port, path } of claims) {
    if (port === 0) continue;
    const wildcard = taken.get(`*:${port}`);
    const same = taken.get(`${host}:${port}`) ?? wildcard;
    if (same !== undefined) refuse(`${path}.port`, `port ${port} is taken by ${same}`);
    taken.set(`${host}:${port}`, path);
    if (host === '::') taken.set(`*:${port}`, path);
  }
}

function checkBus(bus: BusConfig, refuse: Say, warn: Say): void {
  const topic = bus.destination.startsWith('/topic/');
  if (topic && bus.clientId !== undefined && bus.subscriptionName === undefined) {
    refuse(
      'bus.subscriptionName',
      'is required: a durable subscription of a topic wants clientId and subscriptionName',
    );
  }
  if (topic && bus.subscriptionName !== undefined && bus.clientId === undefined) {
    refuse(
      'bus.clientId',
      'is required: a durable subscription of a topic wants clientId and subscriptionName',
    );
  }
  if (topic && bus.clientId === undefined && bus.subscriptionName === undefined) {
    warn(
      'bus.destination',
      'events sent to a topic while Headgear is away are lost: set clientId and subscriptionName',
    );
  }
  if (!topic && bus.subscriptionName !== undefined) {
    warn('bus.subscriptionName', 'has no meaning for a queue');
  }
  if (bus.reconnectMinMs > bus.reconnectMaxMs) {
    refuse('bus.reconnectMinMs', `must not be above reconnectMaxMs (${bus.reconnectMaxMs})`);
  }
  checkPasscode('bus', bus, refuse, warn);
  for (const [n, { tls }] of bus.hosts.entries()) {
    if (tls === undefined) continue;
    if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
      refuse(`bus.hosts[${n}].tls`, 'certFile and keyFile belong together');
    }
    if (!tls.verify)
      warn(
        `bus.hosts[${n}].tls.verify`,
        'is off: anybody on the way can send events in the name of the message bus',
      );
  }
}

function checkIntake(intake: IntakeConfig, refuse: Say, warn: Say): void {
  checkPasscode('intake', intake, refuse, warn);
  if (intake.login === undefined && !isLoopbackHost(intake.host)) {
    refuse(
      'intake.login',
      'is required (with a passcode) where intake.host is not a loopback address: events change routes',
    );
  }
}

function checkPasscode(path: 'bus' | 'intake', keys: BusConfig | IntakeConfig, refuse: Say, warn: Say): void {
  if (keys.passcode !== undefined && keys.passcodeFile !== undefined) {
    refuse(`${path}.passcodeFile`, 'passcode is given as well: keep one of them');
  }
  const secret = keys.passcode ?? keys.passcodeFile;
  if (secret !== undefined && keys.login === undefined)
    warn(`${path}.passcode`, 'has no effect without login');
  if (secret === undefined && keys.login !== undefined) {
    if (path === 'intake') refuse('intake.passcode', 'is required where intake.login is given');
    else warn('bus.passcode', 'login is given without a passcode');
  }
}

function checkAddresses(config: Config, refuse: Say): void {
  checkCidrs(config.http.trustedProxies, 'http.trustedProxies', refuse);
  checkCidrs(config.tls.ocsp.allowedAddresses, 'tls.ocsp.allowedAddresses', refuse);
  for (const scheme of ['http', 'https'] as const) {
    for (const [n, { proxyProtocolFrom }] of config.listeners[scheme].entries()) {
      checkCidrs(proxyProtocolFrom, `listeners.${scheme}[${n}].proxyProtocolFrom`, refuse);
    }
  }
  for (const [from, to] of Object.entries(config.endpoints.addressMap)) {
    const path = `endpoints.addressMap[${JSON.stringify(from)}]`;
    if (isIP(to) === 0) refuse(path, `must lead to a literal IP address, not ${JSON.stringify(to)}`);
  }
}

function checkApplications(config: Config, refuse: Say): void {
  for (const key of Object.keys(config.nodeFrontend.applications)) {
    if (!/^[a-z0-9]+\/[a-z0-9]+$/.test(key)) {
      refuse(
        `nodeFrontend.applications[${JSON.stringify(key)}]`,
        'must be written namespace/app, in lower case',
      );
    }
  }
}

function checkCidrs(cidrs: readonly string[], path: string, refuse: Say): void {
  for (const [n, cidr] of cidrs.entries()) {
    if (!isCidr(cidr)) {
      refuse(
        `${path}[${n}]`,
        `must be an address or a network such as 10.0.0.0/8, not ${JSON.stringify(cidr)}`,
      );
    }
  }
}
