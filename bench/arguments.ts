/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';
import { H1_LOADER_NAMES, type H1LoaderName } from './load.ts';
import {
  GROUP_NAMES,
  LOAD_NAMES,
  SCENARIOS,
  type Scenario,
  SMOKE_NAMES,
  withConnections,
} from './scenarios.ts';
import { TARGET_NAMES, type TargetName } from './targets/target.ts';

export interface ScenarioArguments {
  readonly kind: 'scenarios';
  readonly scenarios: readonly Scenario[];
  readonly targets: readonly TargetName[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly h1Loader: H1LoaderName | undefined;
  /** Where the figures go as JSON, or null. */
  readonly json: string | null;
}

export type Arguments =
  | ScenarioArguments
  | { readonly kind: 'named'; readonly names: readonly string[] }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly reason: string };

const SCHEMES = ['http', 'https'] as const;
const ENGINES = ['http-proxy'] as const;
/** What `npm run bench` alone measures. */
const DEFAULT_SCENARIOS = ['hop-http-1k-64', 'hop-https-1k-64'];
const SMOKE_CONNECTIONS = 8;

/** What is wrong with the command line; caught in `readBenchArguments`. */
class Wrong extends Error {}

/** `named`: the benches that are no scenarios and run by name. */
export function readBenchArguments(args: readonly string[], named: readonly string[]): Arguments {
  try {
    const { values, positionals } = parse(args);
    if (values.help) return { kind: 'help' };
    if (positionals.length > 0 && positionals.every((name) => named.includes(name)))
      return { kind: 'named', names: positionals };
    return scenarioArguments(values, positionals, named);
  } catch (error) {
    // parseArgs throws too, with a sentence of its own.
    return { kind: 'wrong', reason: error instanceof Error ? error.message : String(error) };
  }
}

type Values = ReturnType<typeof parse>['values'];

function scenarioArguments(
  values: Values,
  words: readonly string[],
  named: readonly string[],
): ScenarioArguments {
  const { smoke } = values;
  const engines = listOf('--engine', values.engine, ENGINES) ?? [];
  const only = listOf('--only', values.only, TARGET_NAMES) ?? TARGET_NAMES;
  const targets = only.filter(
    (name) => name !== 'headgear-http-proxy' || engines.length > 0 || values.only !== undefined,
  );
  const [h1Loader] = listOf('--by', values.by, H1_LOADER_NAMES) ?? (smoke ? (['autocannon'] as const) : []);
  const scenarios = chooseScenarios(values, words, named);
  if (!scenarios.some((scenario) => scenario.targets.some((name) => targets.includes(name))))
    throw new Wrong('no scenario is left to run; see --help');
  return {
    kind: 'scenarios',
    scenarios,
    targets,
    rounds: numberOf('--rounds', values.rounds, smoke ? 1 : 5),
    seconds: numberOf('--seconds', values.seconds, smoke ? 0.2 : 4),
    warmUpSeconds: smoke ? 0 : 2,
    h1Loader,
    json: values.json ?? null,
  };
}

/** Words are groups, or `all`, or names of scenarios. */
function chooseScenarios(
  values: Values,
  words: readonly string[],
  named: readonly string[],
): readonly Scenario[] {
  const known = ['all', ...GROUP_NAMES, ...SCENARIOS.map(({ name }) => name)];
  const unknown = words.find((word) => !known.includes(word));
  if (unknown !== undefined) {
    const groups = ['all', ...GROUP_NAMES].join(', ');
    throw new Wrong(
      named.includes(unknown)
        ? `'${unknown}' cannot run together with scenarios`
        : `there is no bench '${unknown}'; there are the groups ${groups}, scenarios (see --help), and ${named.join(', ')}`,
    );
  }
  const loads = listOf('--load', values.load, LOAD_NAMES);
  const schemes = listOf('--scheme', values.scheme, SCHEMES) ?? SCHEMES;
  const connections =
    values.connections === undefined ? undefined : numberOf('--connections', values.connections, 0);
  const wanted = words.length > 0 ? words : loads === undefined ? DEFAULT_SCENARIOS : ['hop'];
  const chosen = SCENARIOS.filter(({ name, group }) =>
    ['all', group, name].some((word) => wanted.includes(word)),
  )
    .filter(({ load }) => loads?.includes(load) ?? true)
    .filter(({ scheme }) => schemes.includes(scheme))
    .filter(({ name }) => !values.smoke || SMOKE_NAMES.includes(name));
  const count = connections ?? (values.smoke ? SMOKE_CONNECTIONS : undefined);
  if (count === undefined) return chosen;
  // Some differ by their connections alone.
  const changed = chosen.map((scenario) => withConnections(scenario, count));
  return [...new Map(changed.map((scenario) => [scenario.name, scenario])).values()];
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      connections: { type: 'string' },
      only: { type: 'string' },
      load: { type: 'string' },
      scheme: { type: 'string' },
      by: { type: 'string' },
      engine: { type: 'string' },
      json: { type: 'string' },
      smoke: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
}

function numberOf(option: string, text: string | undefined, fallback: number): number {
  const number = text === undefined ? fallback : Number(text);
  if (!(number > 0)) throw new Wrong(`${option} wants a number above 0`);
  return number;
}

/** The members of a comma-separated list in the order of `known`. */
function listOf<T extends string>(
  option: string,
  text: string | undefined,
  known: readonly T[],
): readonly T[] | undefined {
  if (text === undefined) return undefined;
  const wanted = text.split(',').map((name) => name.trim());
  const unknown = wanted.find((name) => !known.some((other) => other === name));
  if (unknown !== undefined) throw new Wrong(`${option} knows ${known.join(', ')}, but not '${unknown}'`);
  return known.filter((name) => wanted.includes(name));
}
