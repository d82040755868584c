/** From samples to what is printed. Pure. */
import type { LoaderName } from './load.ts';
import type { TargetName } from './targets/target.ts';

/** One run of one loader against one target. */
export interface Sample {
  readonly round: number;
  readonly scheme: 'http' | 'https';
  readonly loader: LoaderName;
  readonly target: TargetName;
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
  /** CPU of the proxy a request, microseconds; null where it cannot be had. */
  readonly cpuUs: number | null;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** A line of the report. Null: that figure could not be had. */
export interface Row {
  readonly scheme: Sample['scheme'];
  readonly loader: LoaderName;
  readonly target: TargetName;
  readonly requestsPerSecond: Spread;
  readonly p99Ms: Spread;
  readonly cpuUs: Spread | null;
  /** This target's CPU a request as a multiple of nginx's. */
  readonly cpuToNginx: Spread | null;
  /** The same of the round that cost each the least: other work on the machine only ever adds. */
  readonly leastCpuToNginx: number | null;
  /** http-proxy's CPU a request as a multiple of this target's. */
  readonly httpProxyToCpu: Spread | null;
}

/** Median, least and greatest; null of nothing. */
export function spreadOf(values: readonly number[]): Spread | null {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  const [min, max] = [sorted[0], sorted[sorted.length - 1]];
  if (low === undefined || high === undefined || min === undefined || max === undefined) return null;
  return { median: (low + high) / 2, min, max };
}

/**
 * A row for each scheme, loader and target, in the order they were measured in. Ratios are taken within each round, where both ran side by
 * side, and then their median: what slows the machine down for a while hits both.
 */
export function summarize(samples: readonly Sample[]): readonly Row[] {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = `${sample.scheme} ${sample.loader} ${sample.target}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [sample]);
    else group.push(sample);
  }
  const cpuOf = ({ scheme, loader, round }: Sample, target: TargetName): number | null =>
    groups.get(`${scheme} ${loader} ${target}`)?.find((other) => other.round === round)?.cpuUs ?? null;
  const leastCpuOf = (group: readonly Sample[] | undefined): number | null =>
    spreadOf(group?.flatMap(({ cpuUs }) => cpuUs ?? []) ?? [])?.min ?? null;
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    const requestsPerSecond = spreadOf(group.map((sample) => sample.requestsPerSecond));
    const p99Ms = spreadOf(group.map((sample) => sample.p99Ms));
    if (first === undefined || requestsPerSecond === null || p99Ms === null) return [];
    const { scheme, loader, target } = first;
    return {
      scheme,
      loader,
      target,
      requestsPerSecond,
      p99Ms,
      cpuUs: spreadOf(group.flatMap(({ cpuUs }) => cpuUs ?? [])),
      cpuToNginx: spreadOf(group.flatMap((sample) => ratio(sample.cpuUs, cpuOf(sample, 'nginx')))),
      leastCpuToNginx:
        ratio(leastCpuOf(group), leastCpuOf(groups.get(`${scheme} ${loader} nginx`)))[0] ?? null,
      httpProxyToCpu: spreadOf(group.flatMap((sample) => ratio(cpuOf(sample, 'http-proxy'), sample.cpuUs))),
    };
  });
}

function ratio(over: number | null, under: number | null): number[] {
  return over === null || under === null || under === 0 ? [] : [over / under];
}

const HEADINGS = [
  'target',
  'requests/s',
  'p99 ms',
  'CPU us/request',
  'CPU : nginx',
  'least : least',
  'http-proxy : CPU',
];

/** The tables as text, one for each scheme and loader. */
export function formatReport(rows: readonly Row[], connections: number): string {
  const tables = new Map<string, string[][]>();
  for (const row of rows) {
    const title = `${row.scheme.toUpperCase()} keep-alive, 1 KiB, ${connections} connections, load by ${row.loader}: median (min-max)`;
    const cells = [
      row.target,
      spread(row.requestsPerSecond, 0),
      spread(row.p99Ms, 2),
      spread(row.cpuUs, 1),
      spread(row.cpuToNginx, 2),
      row.leastCpuToNginx === null ? '-' : row.leastCpuToNginx.toFixed(2),
      spread(row.httpProxyToCpu, 2),
    ];
    const table = tables.get(title);
    if (table === undefined) tables.set(title, [HEADINGS, cells]);
    else table.push(cells);
  }
  return [...tables].map(([title, table]) => `${title}\n${align(table)}\n`).join('\n');
}

function spread(value: Spread | null, digits: number): string {
  if (value === null) return '-';
  const [median, min, max] = [value.median, value.min, value.max].map((number) => number.toFixed(digits));
  return min === max ? `${median}` : `${median} (${min}-${max})`;
}

function align(table: readonly (readonly string[])[]): string {
  const widths = HEADINGS.map((_, column) => Math.max(...table.map((cells) => (cells[column] ?? '').length)));
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
