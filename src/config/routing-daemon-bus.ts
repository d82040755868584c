/** How the routing daemon reaches ActiveMQ -> the `bus` section (domain.md 11). Pure. */
import type { Note } from './routing-daemon-note.ts';

type Values = ReadonlyMap<string, string>;

const POOL = 'plugin.activemq.pool.';
const MAX_HOSTS = 64;

/** Every key of it gets its note; `machine` makes the client id of a durable subscription one of its own. */
export function routingDaemonBus(
  values: Values,
  machine: string,
  note: Note,
): Readonly<Record<string, unknown>> {
  const destination =
    values.get('ACTIVEMQ_DESTINATION') ?? values.get('ACTIVEMQ_TOPIC') ?? '/topic/routinginfo';
  for (const key of ['ACTIVEMQ_DESTINATION', 'ACTIVEMQ_TOPIC'])
    if (values.has(key)) note(key, 'taken', 'bus.destination');
  if (values.has('ACTIVEMQ_USER')) note('ACTIVEMQ_USER', 'taken', 'bus.login');
  if (values.has('ACTIVEMQ_PASSWORD')) note('ACTIVEMQ_PASSWORD', 'taken', 'bus.passcode');
  const durable = destination.startsWith('/topic/');
  if (durable) {
    const message = `${destination}: the subscription is made durable, so that nothing is lost while Headgear is away; unsubscribe it when you give Headgear up`;
    note('bus.clientId', 'look', message);
  }
  return {
    hosts: hosts(values, note),
    login: values.get('ACTIVEMQ_USER') ?? 'routinginfo',
    passcode: values.get('ACTIVEMQ_PASSWORD') ?? 'routinginfopasswd',
    destination,
    ...(durable ? { clientId: `headgear-${machine}`, subscriptionName: 'headgear' } : {}),
  };
}

function hosts(values: Values, note: Note): readonly object[] {
  const given = values.get('ACTIVEMQ_PORT');
  const port = portOf(given) ?? 61613;
  if (given !== undefined) {
    const fits = portOf(given) !== null;
    note('ACTIVEMQ_PORT', fits ? 'taken' : 'look', fits ? 'bus.hosts' : 'is no port: 61613 is taken');
  }
  const pool = poolHosts(values, port, note);
  if (pool !== null) {
    if (values.has('ACTIVEMQ_HOST')) note('ACTIVEMQ_HOST', 'obsolete', `${POOL}size goes before it`);
    return pool;
  }
  if (values.has('ACTIVEMQ_HOST')) note('ACTIVEMQ_HOST', 'taken', 'bus.hosts');
  else
    note('ACTIVEMQ_HOST', 'look', 'is not given: the daemon takes activemq.example.com then; set bus.hosts');
  return (values.get('ACTIVEMQ_HOST') ?? 'activemq.example.com').split(',').flatMap((text) => {
    const [host = '', own] = text.trim().split(':');
    return host === '' ? [] : [{ host, port: own === undefined ? port : (portOf(own) ?? port) }];
  });
}

/** `plugin.activemq.pool.size` and `.N.host`, `.port`, `.ssl`, ...; null where there is none. */
function poolHosts(values: Values, port: number, note: Note): readonly object[] | null {
  const size = values.get(`${POOL}size`);
  if (size === undefined) return null;
  const count = /^\d{1,4}$/.test(size) ? Number(size) : 0;
  const found: object[] = [];
  for (let n = 1; n <= Math.min(count, MAX_HOSTS); n += 1) {
    const key = (name: string): string => `${POOL}${n}.${name}`;
    const host = values.get(key('host'));
    if (host === undefined) {
      note(key('host'), 'look', `is not given although ${POOL}size is ${size}`);
      continue;
    }
    const tls = /^(1|y|t)/i.test(values.get(key('ssl')) ?? '') ? tlsOf(values, key, note) : undefined;
    for (const name of ['host', 'port', 'ssl'])
      if (values.has(key(name))) note(key(name), 'taken', `bus.hosts[${found.length}]`);
    const own = portOf(values.get(key('port'))) ?? port;
    found.push({ host, port: own, ...(tls === undefined ? {} : { tls }) });
  }
  if (found.length === 0) {
    note(`${POOL}size`, 'look', 'names no host: ACTIVEMQ_HOST is taken');
    return null;
  }
  const message = count > MAX_HOSTS ? `only the first ${MAX_HOSTS} are taken` : 'bus.hosts';
  note(`${POOL}size`, count > MAX_HOSTS ? 'look' : 'taken', message);
  return found;
}

function tlsOf(values: Values, key: (name: string) => string, note: Note): object {
  const [caFile, ...more] = (values.get(key('ssl.ca')) ?? '')
    .split(',')
    .map((file) => file.trim())
    .filter((file) => file !== '');
  const [certFile, keyFile] = [values.get(key('ssl.cert')), values.get(key('ssl.key'))];
  if (caFile !== undefined) {
    const message = `bus.hosts[].tls.caFile is one file: put the certificates of ${more.join(', ')} into it`;
    note(
      key('ssl.ca'),
      more.length > 0 ? 'look' : 'taken',
      more.length > 0 ? message : 'bus.hosts[].tls.caFile',
    );
  }
  for (const name of ['ssl.cert', 'ssl.key'])
    if (values.has(key(name))) note(key(name), 'taken', 'bus.hosts[].tls');
  if (/^(1|y|t)/i.test(values.get(key('ssl.fallback')) ?? '')) {
    const message =
      'is not carried over: it let anybody on the way stand in for ActiveMQ. Headgear verifies; give caFile the certificate';
    note(key('ssl.fallback'), 'look', message);
  } else if (values.has(key('ssl.fallback'))) note(key('ssl.fallback'), 'taken', 'certificates are verified');
  return {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined || keyFile === undefined ? {} : { certFile, keyFile }),
  };
}

function portOf(text: string | undefined): number | null {
  const number = text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return number > 0 && number < 65_536 ? number : null;
}
