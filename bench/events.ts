/**
 * Events from a real ActiveMQ to the table of a real Headgear, while a client asks it for pages: non-persistent ones (as OpenShift's plugin
 * sends them) at the highest rate at which the lag stays bounded, persistent ones as fast as ActiveMQ takes them, beside what it gives to a
 * consumer that only acks, and a district evacuated while Headgear was away. At the end the table must hold what was sent.
 */
import { loadavg } from 'node:os';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { publishBodies } from '../src/stomp/publish.ts';
import { startActiveMq } from '../test/support/activemq.ts';
import { startGear } from '../test/support/gear.ts';
import { CLOUD_DOMAIN, type HeadgearProcess, headgearHome } from '../test/support/headgear-process.ts';
import { startLoopingClient } from '../test/support/looping-client.ts';
import { findPart } from '../test/support/parts.ts';
import { addEndpoint, createApplication, keyOf } from '../test/support/spi-bodies.ts';
import { cpuMicroseconds } from './cpu.ts';
import { lagOf, quantileMs, untilApplied } from './event-lag.ts';
import {
  APPLICATIONS,
  aliasOf,
  confirm,
  createDistrict,
  type District,
  GEARS,
  gearId,
  pour,
  startNullConsumer,
} from './event-traffic.ts';
import { watchMemory } from './memory.ts';

/** The bar, and what is tried where it is not reached; above it where it is. */
const RATES = [5_000, 4_500, 4_000, 3_500, 3_000, 2_500, 2_000] as const;
const HIGHER = [6_000, 7_000, 8_000] as const;
const SUSTAINED_SECONDS = 20;
const BOUNDED_LAG_MS = 1_000;
/** Until what is compiled is compiled, the heap has its size and most of the table is there. */
const WARM_UP = { events: 30_000, perSecond: 2_500 } as const;
const PERSISTENT_SECONDS = 10;
const PUBLISHERS = 8;
const BACKLOG = 100_000;
const DESTINATION = '/queue/routinginfo';
const NULL_DESTINATION = '/queue/nothing';

/** Bodies made beforehand, and one more where a gear would be left between two nodes. */
function take(district: District, count: number): Buffer[] {
  const bodies = Array.from({ length: count }, () => district.next());
  if (!district.isSettled()) bodies.push(district.next());
  return bodies;
}

/** Runs one part of the bench and prints a line: events a second, lag, processor time, greatest memory. Gives back the lag's 99 %. */
async function measured(
  what: string,
  headgear: HeadgearProcess,
  send: () => Promise<{ readonly events: number; readonly note: string }>,
): Promise<number> {
  const before = await lagOf(headgear);
  const memory = watchMemory(headgear.child.pid);
  const cpu = cpuMicroseconds(headgear.child.pid) ?? 0;
  const began = performance.now();
  const { events, note } = await send();
  const after = await untilApplied(headgear, before.applied + events);
  const seconds = (performance.now() - began) / 1_000;
  const used = ((cpuMicroseconds(headgear.child.pid) ?? 0) - cpu) / events;
  const { resident, own } = memory();
  const [half, most] = [0.5, 0.99].map((share) => quantileMs(before, after, share));
  console.log(
    `events ${what}: ${Math.round(events / seconds)} events/s (${events} in ${seconds.toFixed(1)} s, ${note}), lag 50 % ${half?.toFixed(0)} ms, 99 % ${most?.toFixed(0)} ms, ` +
      `${used.toFixed(0)} µs CPU an event, at most ${mebibytes(own)} MiB of its own and ${mebibytes(resident)} MiB resident with what is mapped of its files`,
  );
  return most ?? Number.POSITIVE_INFINITY;
}

const mebibytes = (bytes: number): string => (bytes / 1_048_576).toFixed(0);

/** The highest of the rates at which the lag stays bounded, and a line for each that was tried. */
async function findSustained(headgear: HeadgearProcess, port: number, district: District): Promise<number> {
  const holds = async (rate: number): Promise<boolean> => {
    const bodies = take(district, rate * SUSTAINED_SECONDS);
    let sent = 0;
    const lagMs = await measured('non-persistent', headgear, async () => {
      sent = await pour(port, DESTINATION, bodies, rate);
      return { events: bodies.length, note: `sent at ${Math.round(sent)}/s` };
    });
    // What the message bus did not even take at this rate proves nothing of it.
    return lagMs < BOUNDED_LAG_MS && sent > rate * 0.97;
  };
  for (const rate of RATES) {
    if (!(await holds(rate))) continue;
    if (rate !== RATES[0]) return rate;
    let highest: number = rate;
    for (const higher of HIGHER) {
      if (!(await holds(higher))) break;
      highest = higher;
    }
    return highest;
  }
  return 0;
}

/** Takes some minutes and leaves nothing behind. */
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

    const district = createDistrict();
    const warmUp = take(district, WARM_UP.events);
    await measured('warm-up', headgear, async () => {
      const rate = await pour(bus.port, DESTINATION, warmUp, WARM_UP.perSecond);
      return { events: warmUp.length, note: `sent at ${Math.round(rate)}/s` };
    });
    const sustained = await findSustained(headgear, bus.port, district);
    console.log(
      `events sustained: ${sustained}/s for ${SUSTAINED_SECONDS} s with 99 % of the lag below ${BOUNDED_LAG_MS} ms`,
    );
    const stopNull = await startNullConsumer(bus.port, NULL_DESTINATION);
    let [nobodys, aliases] = [0, 0];
    const forNobody = await confirm(bus.port, NULL_DESTINATION, PUBLISHERS, PERSISTENT_SECONDS, () =>
      aliasOf(nobodys++),
    );
    stopNull();
    const bare = forNobody / PERSISTENT_SECONDS;
    console.log(
      `events persistent, to a consumer that only acks: ${Math.round(bare)}/s (ActiveMQ confirmed them to ${PUBLISHERS} publishers)`,
    );
    await measured('persistent', headgear, async () => {
      const began = performance.now();
      const confirmed = await confirm(bus.port, DESTINATION, PUBLISHERS, PERSISTENT_SECONDS, () =>
        aliases < APPLICATIONS ? aliasOf(aliases++) : null,
      );
      // Sooner than asked for where there are no more aliases to add.
      const seconds = (performance.now() - began) / 1_000;
      const share = Math.round((confirmed / seconds / bare) * 100);
      return { events: confirmed, note: `${share} % of what it confirms with a consumer that only acks` };
    });
    await client.stop();
    report(client);

    await headgear.stop();
    const moves = take(district, BACKLOG);
    await pour(bus.port, DESTINATION, moves, Number.POSITIVE_INFINITY);
    const starting = performance.now();
    headgear = await home.start({ nodeArgs });
    const ready = Math.round(performance.now() - starting);
    const after = startLoopingClient({ port: headgear.httpPort, host: `living-here.${CLOUD_DOMAIN}` });
    stops.push(after.stop);
    await measured('backlog', headgear, async () => ({
      events: moves.length,
      note: `a start with ${APPLICATIONS} applications took ${ready} ms`,
    }));
    await after.stop();
    report(after);

    const apps = (await headgear.apps()).filter(({ key }) => key !== keyOf(living));
    const endpoints = apps.flatMap((app) => app.endpoints);
    const wanted = new Set(Array.from({ length: GEARS }, (_, gear) => district.whereIs(gear)));
    const moved = endpoints.filter(({ address, port }) => wanted.has(`${address}:${port}`)).length;
    const held = apps.flatMap((app) => app.aliases).length;
    if (apps.length !== APPLICATIONS || moved !== GEARS || endpoints.length !== GEARS || held !== aliases)
      throw new Error(
        `LOST: ${apps.length} applications, ${moved} of ${endpoints.length} endpoints, ${held} of ${aliases} aliases`,
      );
    console.log(
      `events: nothing lost (${apps.length} applications, ${GEARS} endpoints where they belong, ${aliases} aliases); load average ${(loadavg()[0] ?? 0).toFixed(1)}`,
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
