/** The bars that Headgear is held to, judged over the rounds of one run. Pure. */
import { type Figure, quotient, type Rounds, roundsOf, spreadOf } from './rounds.ts';
import type { Sample } from './sample.ts';
import type { TargetName } from './targets/target.ts';

export interface Verdict {
  readonly title: string;
  /** Median over the rounds; null: not measured. */
  readonly value: number | null;
  readonly kind: 'at most' | 'at least';
  readonly limit: number;
  /** What would be better still. */
  readonly stretch: number | null;
  readonly unit: '' | ' KiB' | ' MiB';
}

interface Bar extends Omit<Verdict, 'value'> {
  /** Null where the round does not have what it needs. */
  value(rounds: Rounds, round: number): number | null;
}

const KIB = 1_024;
const MIB = 1_048_576;
const cpu: Figure = ({ cpuUs }) => cpuUs;

function cpuRatio(
  title: string,
  kind: Bar['kind'],
  limit: number,
  [scenario, over, under]: readonly [string, TargetName, TargetName],
  stretch: number | null = null,
): Bar {
  return {
    title: `CPU, ${title}`,
    kind,
    limit,
    stretch,
    unit: '',
    value(rounds, round) {
      const sample = rounds.sample(round, scenario, over);
      return sample === null ? null : rounds.ratio(sample, under, cpu);
    },
  };
}

function smallBodies(scheme: 'http' | 'https'): Bar[] {
  const over = scheme.toUpperCase();
  const scenario = `hop-${scheme}-1k-64`;
  return [
    cpuRatio(`1 KiB ${over}: Headgear to nginx`, 'at most', 1.3, [scenario, 'headgear', 'nginx'], 1),
    cpuRatio(`1 KiB ${over}: Caddy to Headgear`, 'at least', 2.5, [scenario, 'caddy', 'headgear']),
    cpuRatio(`1 KiB ${over}: http-proxy to Headgear`, 'at least', 5, [scenario, 'http-proxy', 'headgear']),
  ];
}

/** Flat memory is two things: one run holds a small part of what passes, and later rounds hold no more than earlier ones. */
function greatBodies(scheme: 'http' | 'https'): Bar[] {
  const over = scheme.toUpperCase();
  return ['10m', 'upload-10m'].flatMap((load): Bar[] => {
    const scenario = `hop-${scheme}-${load}-16`;
    const what = `10 MiB ${over}${load === '10m' ? '' : ' upload'}`;
    return [
      cpuRatio(`${what}: Headgear to nginx`, 'at most', 1.3, [scenario, 'headgear', 'nginx']),
      {
        title: `memory, ${what}: growth while 16 bodies pass at a time`,
        kind: 'at most',
        limit: 40,
        stretch: null,
        unit: ' MiB',
        value(rounds, round) {
          const sample = rounds.sample(round, scenario, 'headgear');
          if (sample === null || sample.residentBefore === null || sample.residentPeak === null) return null;
          return (sample.residentPeak - sample.residentBefore) / MIB;
        },
      },
      {
        title: `memory, ${what}: peak to that of the first round`,
        kind: 'at most',
        limit: 1.1,
        stretch: null,
        unit: '',
        value(rounds, round) {
          const [first] = rounds.numbers;
          if (first === undefined || first === round) return null;
          const peak = (number: number): number | null =>
            rounds.sample(number, scenario, 'headgear')?.residentPeak ?? null;
          return quotient(peak(round), peak(first));
        },
      },
    ];
  });
}

function http2(): Bar[] {
  const scenario = 'h2-h2-1k-8';
  const againstParts = (scheme: 'http' | 'https'): Bar => ({
    title: `CPU, 1 KiB HTTP/2: Headgear to static node:http2 + 1.1 x its own hop over ${scheme.toUpperCase()}`,
    kind: 'at most',
    limit: 1,
    stretch: null,
    unit: '',
    value(rounds, round) {
      const part = (name: string, target: TargetName): number | null =>
        rounds.sample(round, name, target)?.cpuUs ?? null;
      const fixed = part(scenario, 'http2-static');
      const hop = part(`h2-${scheme}-1k-64`, 'headgear');
      return fixed === null || hop === null ? null : quotient(part(scenario, 'headgear'), fixed + 1.1 * hop);
    },
  });
  return [
    cpuRatio('1 KiB HTTP/2: Headgear to HAProxy', 'at most', 3, [scenario, 'headgear', 'haproxy']),
    againstParts('http'),
    againstParts('https'),
  ];
}

/** Both are judged: resident memory knows what OpenSSL takes, and the heap what pages that were free before would hide. */
function idle(scheme: 'http' | 'https'): Bar {
  const scenario = `idle-${scheme}-none-2000`;
  return {
    title: `memory, an idle ${scheme.toUpperCase()} connection: Headgear over a bare socket of Node`,
    kind: 'at most',
    limit: 8,
    stretch: null,
    unit: ' KiB',
    value(rounds, round) {
      const over = (figure: Figure): number | null => {
        const [ours, bare] = (['headgear', 'bare-socket'] as const).map((target) => {
          const sample = rounds.sample(round, scenario, target);
          return sample === null ? null : figure(sample);
        });
        return typeof ours === 'number' && typeof bare === 'number' ? (ours - bare) / KIB : null;
      };
      const resident = over(({ bytesPerConnection }) => bytesPerConnection);
      const heap = over(({ heapPerConnection }) => heapPerConnection);
      return resident === null || heap === null ? null : Math.max(resident, heap);
    },
  };
}

const BARS: readonly Bar[] = [
  ...smallBodies('http'),
  ...smallBodies('https'),
  ...greatBodies('http'),
  ...greatBodies('https'),
  ...http2(),
  idle('http'),
  idle('https'),
];

/** Every bar with what was measured of it. */
export function judge(samples: readonly Sample[]): readonly Verdict[] {
  const rounds = roundsOf(samples);
  return BARS.map(({ value, ...bar }) => {
    const values = rounds.numbers.flatMap((round) => value(rounds, round) ?? []);
    return { ...bar, value: spreadOf(values)?.median ?? null };
  });
}

/** One line each, those that were measured first met or not; the rest are named, never left out. */
export function formatVerdicts(verdicts: readonly Verdict[]): string {
  return verdicts
    .map((verdict) => {
      const { title, value, kind, limit, unit } = verdict;
      const found = value === null ? '' : `: ${value.toFixed(2)}${unit}`;
      return `  ${wordOf(verdict).padEnd(14)}${title}${found} (${kind} ${limit}${unit}${stretchOf(verdict)})`;
    })
    .join('\n');
}

export function isMet({ value, kind, limit }: Verdict): boolean | null {
  if (value === null) return null;
  return kind === 'at most' ? value <= limit : value >= limit;
}

function wordOf(verdict: Verdict): string {
  return { true: 'met', false: 'NOT MET', null: 'not measured' }[
    String(isMet(verdict)) as 'true' | 'false' | 'null'
  ];
}

function stretchOf(verdict: Verdict): string {
  const { stretch, value } = verdict;
  if (stretch === null) return '';
  const reached = isMet({ ...verdict, limit: stretch }) === true;
  return value === null ? `; stretch ${stretch}` : `; stretch ${stretch} ${reached ? 'met' : 'not met'}`;
}
