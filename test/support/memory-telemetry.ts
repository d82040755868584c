/** A log and a registry of metrics that tests can look into. */
import type { Labels, Log, LogFields, Metrics } from '../../src/telemetry/types.ts';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: LogFields;
}

export interface MemoryLog extends Log {
  readonly lines: readonly LogLine[];
}

export function memoryLog(): MemoryLog {
  const lines: LogLine[] = [];
  const at =
    (level: LogLine['level']) =>
    (message: string, fields: LogFields = {}) => {
      lines.push({ level, message, fields });
    };
  const log = {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => log,
  };
  return log;
}

export interface MemoryMetrics extends Metrics {
  /** Value of a counter or gauge, or number of observations; undefined when the label set does not exist. */
  value(name: string, labels?: Labels): number | undefined;
  /** Every label set of a metric. */
  labelsOf(name: string): Labels[];
}

export function memoryMetrics(): MemoryMetrics {
  const values = new Map<string, Map<string, number>>();
  const copies: (() => void)[] = [];
  const keyOf = (labels: Labels = {}) => JSON.stringify(Object.entries(labels).sort());
  const metric = (name: string) => {
    const series = values.get(name) ?? new Map<string, number>();
    values.set(name, series);
    return {
      inc: (labels?: Labels, by = 1) => void series.set(keyOf(labels), (series.get(keyOf(labels)) ?? 0) + by),
      set: (value: number, labels?: Labels) => void series.set(keyOf(labels), value),
      observe: (_value: number, labels?: Labels) =>
        void series.set(keyOf(labels), (series.get(keyOf(labels)) ?? 0) + 1),
      remove: (labels: Labels) => void series.delete(keyOf(labels)),
    };
  };
  const collect = () => {
    for (const copy of copies) copy();
  };
  return {
    counter: metric,
    gauge: metric,
    histogram: metric,
    onCollect: (copy) => void copies.push(copy),
    expose: () => {
      collect();
      const lines = [...values].flatMap(([name, series]) =>
        [...series].map(([key, value]) => `headgear_${name}${key} ${value}`),
      );
      return Promise.resolve(`${lines.join('\n')}\n`);
    },
    contentType: 'text/plain',
    value(name, labels) {
      collect();
      return values.get(name)?.get(keyOf(labels));
    },
    labelsOf(name) {
      collect();
      return [...(values.get(name)?.keys() ?? [])].map(
        (key) => Object.fromEntries(JSON.parse(key)) as Labels,
      );
    },
  };
}
