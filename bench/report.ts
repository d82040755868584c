/** From samples to what is printed. Pure. */
import { type Figure, type Rounds, roundsOf, type Spread, spreadOf } from './rounds.ts';
import type { Sample } from './sample.ts';
import type { Scenario } from './scenarios.ts';
import { TARGET_NAMES, type TargetName } from './targets/target.ts';

/** A line of the report. Null: that figure could not be had. */
export interface Row {
  readonly scenario: string;
  readonly loader: Sample['loader'];
  readonly target: TargetName;
  readonly requests: number;
  readonly failed: number;
  readonly requestsPerSecond: Spread | null;
  readonly p99Ms: Spread | null;
  readonly p99ToNginx: Spread | null;
  readonly cpuUs: Spread | null;
  /** This target's CPU a request as a multiple of nginx's, and of Headgear's. */
  readonly cpuToNginx: Spread | null;
  readonly cpuToHeadgear: Spread | null;
  /** To nginx, of the round that cost each the least: other work on the machine only ever adds. */
  readonly leastCpuToNginx: number | null;
  /** The most of all rounds. */
  readonly residentPeak: number | null;
  readonly bytesPerConnection: Spread | null;
  readonly heapPerConnection: Spread | null;
}

const cpu: Figure = ({ cpuUs }) => cpuUs;
const p99: Figure = ({ p99Ms }) => p99Ms;

/** A row for each scenario, in the order they were measured in, and each target, in the order of `TARGET_NAMES`. Ratios are taken within each round, and then their median. */
export function summarize(samples: readonly Sample[]): readonly Row[] {
  const rounds = roundsOf(samples);
  const scenarios = [...new Set(samples.map(({ scenario }) => scenario))];
  return scenarios.flatMap((scenario) => {
    const those = samples.filter((sample) => sample.scenario === scenario);
    return TARGET_NAMES.map((target) => those.filter((sample) => sample.target === target))
      .filter((group) => group.length > 0)
      .map((group) => rowOf(group, samples, rounds));
  });
}

function rowOf(group: readonly Sample[], all: readonly Sample[], rounds: Rounds): Row {
  const [first] = group as [Sample];
  const { scenario, loader, target } = first;
  const spread = (figure: Figure): Spread | null => spreadOf(group.flatMap((sample) => figure(sample) ?? []));
  const to = (other: TargetName, figure: Figure): Spread | null =>
    spreadOf(group.flatMap((sample) => rounds.ratio(sample, other, figure) ?? []));
  const nginx = all.filter((sample) => sample.scenario === scenario && sample.target === 'nginx');
  const least = spreadOf(nginx.flatMap((sample) => cpu(sample) ?? []))?.min;
  const cpuUs = spread(cpu);
  return {
    scenario,
    loader,
    target,
    requests: group.reduce((sum, { requests }) => sum + requests, 0),
    failed: group.reduce((sum, { failed }) => sum + failed, 0),
    requestsPerSecond: spread(({ requestsPerSecond }) => requestsPerSecond),
    p99Ms: spread(p99),
    p99ToNginx: to('nginx', p99),
    cpuUs,
    cpuToNginx: to('nginx', cpu),
    cpuToHeadgear: to('headgear', cpu),
    leastCpuToNginx: cpuUs === null || least === undefined || least === 0 ? null : cpuUs.min / least,
    residentPeak: spread(({ residentPeak }) => residentPeak)?.max ?? null,
    bytesPerConnection: spread(({ bytesPerConnection }) => bytesPerConnection),
    heapPerConnection: spread(({ heapPerConnection }) => heapPerConnection),
  };
}

/** The first requests of a run wait for their connections, which come one a millisecond. */
const HELD_SHARE = 0.95;

interface Column {
  readonly heading: string;
  cell(row: Row): string;
}

const TARGET: Column = { heading: 'target', cell: ({ target }) => target };
const PEAK: Column = { heading: 'peak MiB', cell: ({ residentPeak }) => number(residentPeak, 1_048_576) };

const LOAD_COLUMNS: readonly Column[] = [
  TARGET,
  { heading: 'CPU us', cell: ({ cpuUs }) => spreadText(cpuUs, 1) },
  { heading: ': nginx', cell: ({ cpuToNginx }) => spreadText(cpuToNginx, 2) },
  { heading: 'least', cell: ({ leastCpuToNginx }) => leastCpuToNginx?.toFixed(2) ?? '-' },
  { heading: ': headgear', cell: ({ cpuToHeadgear }) => spreadText(cpuToHeadgear, 2) },
  { heading: 'p99 ms', cell: ({ p99Ms }) => spreadText(p99Ms, 2) },
  { heading: 'p99 : nginx', cell: ({ p99ToNginx }) => p99ToNginx?.median.toFixed(2) ?? '-' },
  { heading: 'requests/s', cell: ({ requestsPerSecond }) => spreadText(requestsPerSecond, 0) },
  PEAK,
  { heading: 'failed', cell: ({ failed }) => String(failed) },
];

const IDLE_COLUMNS: readonly Column[] = [
  TARGET,
  { heading: 'KiB a connection', cell: ({ bytesPerConnection }) => kibibytes(bytesPerConnection) },
  { heading: 'of it JavaScript', cell: ({ heapPerConnection }) => kibibytes(heapPerConnection) },
  PEAK,
];

/** The tables as text, one for each scenario. */
export function formatReport(rows: readonly Row[], scenarios: readonly Scenario[]): string {
  return scenarios
    .map((scenario) => ({ scenario, own: rows.filter((row) => row.scenario === scenario.name) }))
    .filter(({ own }) => own.length > 0)
    .map(({ scenario, own }) => {
      const columns = scenario.driver === 'idle' ? IDLE_COLUMNS : LOAD_COLUMNS;
      const table = [
        columns.map(({ heading }) => heading),
        ...own.map((row) => columns.map(({ cell }) => cell(row))),
      ];
      return `${scenario.name}: ${scenario.title} (${own[0]?.loader})\n${align(table)}\n${tooSlow(scenario, own)}`;
    })
    .join('\n');
}

/** Whose p99 is not that of an equal load. */
function tooSlow({ perSecond }: Scenario, rows: readonly Row[]): string {
  if (perSecond === null) return '';
  const slow = rows.filter(
    ({ requestsPerSecond }) => (requestsPerSecond?.median ?? 0) < perSecond * HELD_SHARE,
  );
  return slow.length === 0
    ? ''
    : `  did not hold that rate: ${slow.map(({ target }) => target).join(', ')}\n`;
}

function spreadText(value: Spread | null, digits: number): string {
  if (value === null) return '-';
  const [median, min, max] = [value.median, value.min, value.max].map((part) => part.toFixed(digits));
  return min === max ? `${median}` : `${median} (${min}-${max})`;
}

function kibibytes(value: Spread | null): string {
  if (value === null) return '-';
  return spreadText({ median: value.median / 1_024, min: value.min / 1_024, max: value.max / 1_024 }, 1);
}

function number(value: number | null, unit: number): string {
  return value === null ? '-' : (value / unit).toFixed(0);
}

function align(table: readonly (readonly string[])[]): string {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((cells) => (cells[column] ?? '').length)),
  );
  return table
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd((widths[column] ?? 0) + 2))
        .join('')
        .trimEnd(),
    )
    .map((line) => `  ${line}`)
    .join('\n');
}
