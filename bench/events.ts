/**
 * Events from a real ActiveMQ to the table of a real Headgear, while a client asks it for pages: 5,000 non-persistent ones a second (as
 * OpenShift's plugin sends them), persistent ones as fast as ActiveMQ takes them, and a district evacuated while Headgear was away. At the end
 * the table must hold what was sent.
 */
import { connect, type Socket } from 'node:net';
import { loadavg } from 'node:os';
import { argv } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { publishBodies } from '../src/stomp/publish.ts';
import { startActiveMq } from '../test/support/activemq.ts';
import { startGear } from '../test/support/gear.ts';
import { CLOUD_DOMAIN, type HeadgearProcess, headgearHome } from '../test/support/headgear-process.ts';
import { startLoopingClient } from '../test/support/looping-client.ts';
import { findPart } from '../test/support/parts.ts';
import {
  type App,
  addAlias,
  addEndpoint,
  createApplication,
  keyOf,
  removeEndpoint,
} from '../test/support/spi-bodies.ts';
import { cpuMicroseconds } from './cpu.ts';
import { watchResident } from './memory.ts';

const RATE = 5_000;
/** Two gears each. */
const APPLICATIONS = 25_000;
const PERSISTENT_SECONDS = 10;
const PUBLISHERS = 8;
const DESTINATION = '/queue/routinginfo';
const DRAIN_LIMIT_MS = 300_000;

const appOf = (n: number): App => ({ appName: `app${n}`, namespace: `ns${n % 100}` });
const gearId = (n: number): string => (0x1000_0000 + n).toString(16).padStart(24, '0');
const at = (gear: number, node: 'from' | 'to') => ({
  gearId: gearId(gear),
  address: `10.${node === 'from' ? 1 : 2}.${gear >> 12}.${(gear >> 4) & 0xff}`,
  port: 40_000 + (gear & 0xf),
});
const GEARS = APPLICATIONS * 2;
const gearApp = (gear: number): App => appOf(gear >> 1);

function* adds(): Generator<Buffer> {
  for (let gear = 0; gear < GEARS; gear++) yield addEndpoint(gearApp(gear), at(gear, 'from'));
}

function* moves(): Generator<Buffer> {
  for (let gear = 0; gear < GEARS; gear++) {
    yield addEndpoint(gearApp(gear), at(gear, 'to'));
    yield removeEndpoint(gearApp(gear), at(gear, 'from'));
  }
}

/** SENDs without receipts, `persistent` left out, as the plugin does; `rate` a second, or as fast as the socket takes them. */
async function pour(port: number, bodies: Iterable<Buffer>, rate: number): Promise<number> {
  const socket = await login(port);
  const began = performance.now();
  let sent = 0;
  for (const body of bodies) {
    const head = `SEND\ndestination:${DESTINATION}\ncontent-length:${body.length}\n\n`;
    const free = socket.write(Buffer.concat([Buffer.from(head), body, Buffer.from('\0')]));
    sent += 1;
    if (!free) await new Promise((resolve) => socket.once('drain', resolve));
    const ahead = (sent / rate) * 1_000 - (performance.now() - began);
    if (ahead > 5) await sleep(ahead);
  }
  socket.write('DISCONNECT\nreceipt:bye\n\n\0');
  await new Promise((resolve) => socket.once('data', resolve));
  socket.destroy();
  return sent / ((performance.now() - began) / 1_000);
}

async function login(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.write('CONNECT\naccept-version:1.2\nhost:x\n\n\0');
  await new Promise((resolve, reject) => {
    socket.once('data', resolve);
    socket.once('error', reject);
  });
  return socket;
}

/** Persistent ones by several connections, each confirmed; how many were. */
async function confirm(port: number, seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1_000;
  let next = 0;
  function* aliases(): Generator<Buffer> {
    while (performance.now() < end && next < APPLICATIONS) {
      const n = next++;
      yield addAlias(appOf(n), `www.app${n}.test`);
    }
  }
  const options = {
    host: '127.0.0.1',
    port,
    destination: DESTINATION,
    persistent: true,
    timeoutMs: 60_000,
  } as const;
  const all = await Promise.all(
    Array.from({ length: PUBLISHERS }, () => publishBodies({ ...options, bodies: aliases() })),
  );
  return all.reduce((sum, { sent }) => sum + sent, 0);
}

interface Lag {
  readonly counts: readonly (readonly [upTo: number, count: number])[];
  readonly applied: number;
}

/** Cumulative, as Prometheus has it. */
async function lagOf(headgear: HeadgearProcess): Promise<Lag> {
  const text = await headgear.adminText('/metrics');
  const counts = [...text.matchAll(/^headgear_event_lag_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm)].map(
    ([, upTo, count]) => [upTo === '+Inf' ? Number.POSITIVE_INFINITY : Number(upTo), Number(count)] as const,
  );
  return { counts, applied: counts.at(-1)?.[1] ?? 0 };
}

/** In milliseconds, within its bucket as if that were evenly filled. */
function quantile(before: Lag, after: Lag, share: number): string {
  const wanted = share * (after.applied - before.applied);
  let [from, below] = [0, 0];
  for (const [i, [upTo, count]] of after.counts.entries()) {
    const within = count - (before.counts[i]?.[1] ?? 0);
    if (within < wanted) {
      [from, below] = [upTo, within];
      continue;
    }
    const seconds = from + ((upTo - from) * (wanted - below)) / (within - below);
    return Number.isFinite(seconds) ? `${(seconds * 1_000).toFixed(0)} ms` : `over ${from * 1_000} ms`;
  }
  return 'unknown';
}

async function untilApplied(headgear: HeadgearProcess, count: number): Promise<Lag> {
  const end = performance.now() + DRAIN_LIMIT_MS;
  for (;;) {
    const lag = await lagOf(headgear);
    if (lag.applied >= count) return lag;
    if (performance.now() > end) throw new Error(`only ${lag.applied} of ${count} events arrived`);
    // To answer is work for a program that has something better to do now.
    await sleep(250);
  }
}

/** Runs one part of the bench and prints a line: events a second, lag, processor time, greatest memory. */
async function measured(
  what: string,
  headgear: HeadgearProcess,
  send: () => Promise<{ readonly events: number; readonly note: string }>,
): Promise<void> {
  const before = await lagOf(headgear);
  const resident = watchResident(headgear.child.pid);
  const cpu = cpuMicroseconds(headgear.child.pid) ?? 0;
  const began = performance.now();
  const { events, note } = await send();
  const after = await untilApplied(headgear, before.applied + events);
  const seconds = (performance.now() - began) / 1_000;
  const used = ((cpuMicroseconds(headgear.child.pid) ?? 0) - cpu) / events;
  const peak = (resident() ?? 0) / 1_048_576;
  console.log(
    `events ${what}: ${Math.round(events / seconds)} events/s (${events} in ${seconds.toFixed(1)} s, ${note}), lag 50 % ${quantile(before, after, 0.5)}, 99 % ${quantile(before, after, 0.99)}, ` +
      `${used.toFixed(0)} µs CPU an event, ${peak.toFixed(0)} MiB resident at most`,
  );
}

/** Takes about a minute and leaves nothing behind. */
export async function run(): Promise<void> {
  const part = findPart('activemq');
  if ('missing' in part) {
    console.log(`events left out: ${part.missing}`);
    return;
  }
  const stops: (() => Promise<unknown> | unknown)[] = [];
  try {
    const bus = await startActiveMq();
    stops.push(bus.stop);
    const gear = await startGear();
    stops.push(() => gear.stop());
    const home = headgearHome({
      keepAwake: { enabled: false },
      accessLog: { file: 'off' },
      bus: { hosts: [{ host: '127.0.0.1', port: bus.port }], destination: DESTINATION },
    });
    stops.push(() => home.remove());
    const nodeArgs = (process.env.BENCH_NODE_OPTIONS ?? '').split(' ').filter((option) => option !== '');
    let headgear = await home.start({ nodeArgs });
    await headgear.untilStatus('the subscription', ({ bus: status }) => status?.connected === true);
    const living = { appName: 'living', namespace: 'here' };
    await publishBodies({
      host: '127.0.0.1',
      port: bus.port,
      destination: DESTINATION,
      bodies: [
        createApplication(living),
        addEndpoint(living, { gearId: gearId(GEARS), address: '127.0.0.1', port: gear.port }),
      ],
      persistent: true,
    });
    await headgear.untilApp(keyOf(living), (app) => app?.endpoints.length === 1);
    const client = startLoopingClient({ port: headgear.httpPort, host: `living-here.${CLOUD_DOMAIN}` });
    stops.push(client.stop);

    await measured('non-persistent', headgear, async () => {
      const rate = await pour(bus.port, adds(), RATE);
      return { events: GEARS, note: `sent at ${Math.round(rate)}/s` };
    });
    let aliases = 0;
    await measured('persistent', headgear, async () => {
      aliases = await confirm(bus.port, PERSISTENT_SECONDS);
      return { events: aliases, note: `ActiveMQ confirmed them to ${PUBLISHERS} publishers` };
    });
    await client.stop();
    report(client);

    await headgear.stop();
    await pour(bus.port, moves(), Number.POSITIVE_INFINITY);
    const starting = performance.now();
    headgear = await home.start({ nodeArgs });
    const ready = Math.round(performance.now() - starting);
    const after = startLoopingClient({ port: headgear.httpPort, host: `living-here.${CLOUD_DOMAIN}` });
    stops.push(after.stop);
    await measured('backlog', headgear, async () => ({
      events: 2 * GEARS,
      note: `a start with ${APPLICATIONS} applications took ${ready} ms`,
    }));
    await after.stop();
    report(after);

    const apps = (await headgear.apps()).filter(({ key }) => key !== keyOf(living));
    const endpoints = apps.flatMap((app) => app.endpoints);
    const moved = endpoints.filter(({ address }) => address.startsWith('10.2.')).length;
    const held = apps.flatMap((app) => app.aliases).length;
    if (apps.length !== APPLICATIONS || moved !== GEARS || endpoints.length !== GEARS || held !== aliases)
      throw new Error(
        `LOST: ${apps.length} applications, ${moved} of ${endpoints.length} endpoints, ${held} aliases`,
      );
    console.log(
      `events: nothing lost (${apps.length} applications, ${GEARS} endpoints moved, ${aliases} aliases); load average ${(loadavg()[0] ?? 0).toFixed(1)}`,
    );
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

function report({
  answered,
  failures,
}: {
  readonly answered: number;
  readonly failures: readonly string[];
}): void {
  console.log(
    `events, the client meanwhile: ${answered} requests answered, ${failures.length} failed ${failures[0] ?? ''}`,
  );
}

if (argv[1] === fileURLToPath(import.meta.url)) await run();
