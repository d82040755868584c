/** Runs scenarios: every target behind the same load in interleaved rounds, each checked before it is timed. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkTarget } from './check.ts';
import { type Children, createChildren } from './children.ts';
import { cpuMicroseconds, placementOfCpus } from './cpu.ts';
import { measureIdle } from './idle.ts';
import type { H1LoaderName } from './load.ts';
import { startLoaders } from './loaders.ts';
import { type Cell, measure } from './measure.ts';
import { turned } from './rounds.ts';
import type { Sample } from './sample.ts';
import type { Scenario } from './scenarios.ts';
import { type PreparedScenery, prepareScenery } from './scenery.ts';
import { TARGET_KINDS } from './targets/kinds.ts';
import type { Target, TargetKind, TargetName } from './targets/target.ts';

export interface RunOptions {
  readonly scenarios: readonly Scenario[];
  readonly targets: readonly TargetName[];
  readonly rounds: number;
  readonly seconds: number;
  /** Before the first round, for each scenario and target; 0 for none. */
  readonly warmUpSeconds: number;
  readonly h1Loader: H1LoaderName | undefined;
  /** Told what is going on, a line at a time. */
  say(line: string): void;
}

export interface Figures {
  readonly samples: readonly Sample[];
  /** What ran, with versions. */
  readonly titles: readonly string[];
  /** What could not be had, a sentence each. */
  readonly missing: readonly string[];
  /** What went wrong while it was measured, a sentence each. */
  readonly broken: readonly string[];
}

/** Rejects when a target answers wrongly before it is timed. Leaves neither processes nor files behind. */
export async function runScenarios(options: RunOptions): Promise<Figures> {
  const dir = mkdtempSync(join(tmpdir(), 'headgear-bench-'));
  const children = createChildren(dir);
  try {
    return await run(options, dir, children);
  } finally {
    await children.stop();
  }
}

async function run(options: RunOptions, dir: string, children: Children): Promise<Figures> {
  const { scenarios, rounds, seconds, warmUpSeconds, say } = options;
  const prepared = await prepareScenery(dir, children);
  say(`origin: ${prepared.originTitle}`);
  const loaders = startLoaders(scenarios, options.h1Loader, children, dir);
  const { kinds, titles, missing } = findKinds(options);
  const notes = [...loaders.missing, ...missing, ...machineNotes()];
  for (const note of notes) say(`left out: ${note}`);

  const targets = new Map<TargetName, Target>();
  const timed = scenarios.filter(({ driver }) => driver !== 'idle');
  for (const kind of kinds.filter(({ name }) => timed.some((scenario) => scenario.targets.includes(name))))
    targets.set(kind.name, await startChecked(kind, prepared));
  if (targets.size > 0) say(`answers are right: ${[...targets.keys()].join(', ')}`);

  const rows = timed.map((scenario) => cellsOf(scenario, loaders.of(scenario), targets));
  const cellCount = rows.flat().length;
  const broken: string[] = [];
  // What one run cannot do is said and must not cost the others theirs.
  const attempt = async (name: string, run: () => Promise<Sample>): Promise<Sample[]> => {
    try {
      return [await run()];
    } catch (error) {
      const sentence = `${name}: ${error instanceof Error ? error.message : String(error)}`;
      broken.push(sentence);
      say(`went wrong: ${sentence}`);
      return [];
    }
  };
  const timeAll = async (length: number, round: number): Promise<Sample[]> => {
    const found: Sample[] = [];
    for (const cell of rows.flatMap((row) => turned(row, round))) {
      const name = `${cell.scenario.name} of ${cell.target.name}`;
      found.push(...(await attempt(name, () => measure(cell, length, round, prepared.countRequests))));
    }
    return found;
  };
  if (warmUpSeconds > 0 && cellCount > 0) {
    say(`warming up: ${cellCount} runs of ${warmUpSeconds} s`);
    await timeAll(warmUpSeconds, 0);
  }
  const idle = scenarios
    .filter(({ driver }) => driver === 'idle')
    .flatMap((scenario) => kindsOf(scenario, kinds).map((kind) => ({ scenario, kind })));
  const samples: Sample[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    say(`round ${round} of ${rounds}: ${cellCount} runs of ${seconds} s, ${idle.length} of idle connections`);
    samples.push(...(await timeAll(seconds, round)));
    for (const { scenario, kind } of idle) {
      const run = () => measureIdle(scenario, kind, prepared.scenery, round);
      samples.push(...(await attempt(`${scenario.name} of ${kind.name}`, run)));
    }
  }
  const ran = [`origin ${prepared.originTitle}`, ...loaders.titles, ...titles];
  return { samples, titles: ran, missing: notes, broken };
}

function kindsOf({ targets }: Scenario, kinds: readonly TargetKind[]): readonly TargetKind[] {
  return kinds.filter(({ name }) => targets.includes(name));
}

function findKinds({ targets, scenarios }: RunOptions): {
  readonly kinds: readonly TargetKind[];
  readonly titles: readonly string[];
  readonly missing: readonly string[];
} {
  const kinds: TargetKind[] = [];
  const titles: string[] = [];
  const missing: string[] = [];
  const wanted = ({ name }: TargetKind): boolean =>
    targets.includes(name) && scenarios.some((scenario) => scenario.targets.includes(name));
  for (const kind of TARGET_KINDS.filter(wanted)) {
    const found = kind.find();
    if ('missing' in found) {
      missing.push(`target ${kind.name} ${found.missing}`);
    } else {
      kinds.push(kind);
      titles.push(found.title);
    }
  }
  return { kinds, titles, missing };
}

async function startChecked(kind: TargetKind, { scenery, caFile }: PreparedScenery): Promise<Target> {
  // For a profile of Headgear under load.
  const options = kind.name === 'headgear' ? (process.env.BENCH_NODE_OPTIONS ?? '') : '';
  const nodeOptions = options.split(' ').filter((option) => option !== '');
  const target = await kind.start({ ...scenery, nodeOptions });
  await checkTarget(target, { caFile, cipher: scenery.ciphersuites.split(':')[0] ?? '' });
  return target;
}

function cellsOf(
  scenario: Scenario,
  loader: Cell['loader'] | undefined,
  targets: ReadonlyMap<TargetName, Target>,
): Cell[] {
  if (loader === undefined) return [];
  return [...targets.values()]
    .filter(({ name }) => scenario.targets.includes(name))
    .map((target) => ({ scenario, loader, target }));
}

function machineNotes(): string[] {
  const notes: string[] = [];
  if (cpuMicroseconds(process.pid) === null)
    notes.push('CPU a request and memory, which need the /proc of Linux');
  if (placementOfCpus() === null)
    notes.push('a processor for each proxy alone, which needs taskset (util-linux) and two processors');
  return notes;
}
