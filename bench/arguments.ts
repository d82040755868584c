/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';
import { LOADER_NAMES, type LoaderName } from './load.ts';
import { TARGET_NAMES, type TargetName } from './targets/target.ts';

export interface HopArguments {
  readonly kind: 'hop';
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly connections: number;
  readonly targets: readonly TargetName[];
  readonly loaders: readonly LoaderName[];
  readonly schemes: readonly ('http' | 'https')[];
  /** Where the figures go as JSON, or null. */
  readonly json: string | null;
}

export type Arguments =
  | HopArguments
  | { readonly kind: 'named'; readonly names: readonly string[] }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly reason: string };

const SCHEMES = ['http', 'https'] as const;
const DEFAULT_TARGETS: readonly TargetName[] = ['headgear', 'nginx', 'haproxy', 'http-proxy'];

/** `named`: the benches that can be run by name. */
export function readBenchArguments(args: readonly string[], named: readonly string[]): Arguments {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    return { kind: 'wrong', reason: error instanceof Error ? error.message : String(error) };
  }
  const { values, positionals } = parsed;
  if (values.help) return { kind: 'help' };
  const unknown = positionals.filter((name) => !named.includes(name));
  if (unknown.length > 0)
    return { kind: 'wrong', reason: `there is no bench '${unknown[0]}'; there are: ${named.join(', ')}` };
  if (positionals.length > 0) return { kind: 'named', names: positionals };

  const targets = listOf('--only', values.only, TARGET_NAMES, DEFAULT_TARGETS);
  const loaders = listOf('--load', values.load, LOADER_NAMES, values.smoke ? ['autocannon'] : LOADER_NAMES);
  const schemes = listOf('--scheme', values.scheme, SCHEMES, SCHEMES);
  const numbers = {
    rounds: Number(values.rounds ?? (values.smoke ? 1 : 5)),
    seconds: Number(values.seconds ?? (values.smoke ? 0.3 : 4)),
    connections: Number(values.connections ?? (values.smoke ? 8 : 64)),
  };
  for (const list of [targets, loaders, schemes])
    if (typeof list === 'string') return { kind: 'wrong', reason: list };
  for (const [name, value] of Object.entries(numbers))
    if (!(value > 0)) return { kind: 'wrong', reason: `--${name} wants a number above 0` };
  if (values.engine !== undefined && values.engine !== 'http-proxy')
    return { kind: 'wrong', reason: '--engine knows only http-proxy; the native engine is always measured' };
  const engine: readonly TargetName[] = values.engine === undefined ? [] : ['headgear-http-proxy'];
  return {
    kind: 'hop',
    ...numbers,
    warmUpSeconds: values.smoke ? 0 : 2,
    targets: [...(targets as readonly TargetName[]), ...engine],
    loaders: loaders as readonly LoaderName[],
    schemes: schemes as readonly ('http' | 'https')[],
    json: values.json ?? null,
  };
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
      engine: { type: 'string' },
      json: { type: 'string' },
      smoke: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
}

/** The members of a comma-separated list, or a sentence about the one that is unknown. */
function listOf<T extends string>(
  option: string,
  text: string | undefined,
  known: readonly T[],
  fallback: readonly T[],
): readonly T[] | string {
  if (text === undefined) return fallback;
  const wanted = text.split(',').map((name) => name.trim());
  const unknown = wanted.find((name) => !known.some((other) => other === name));
  if (unknown !== undefined) return `${option} knows ${known.join(', ')}, but not '${unknown}'`;
  return known.filter((name) => wanted.includes(name));
}

/** What `--help` prints. */
export function helpText(named: readonly (readonly [string, string])[]): string {
  const benches = named.map(([name, summary]) => `  ${name.padEnd(16)}${summary}`).join('\n');
  return `Usage: npm run bench [-- OPTIONS]      every target behind the same load, as ratios of CPU a request
       npm run bench -- NAME...           single benches by name

Measures Headgear, nginx, HAProxy and a bare http-proxy hop in one run, over HTTP and HTTPS with keep-alive and a 1 KiB body. Every
target has one core, is checked for right answers first, sets the same forwarding fields, writes an access log, and is measured
in interleaved rounds. What is not installed is named and left out.

  --rounds N         default 5
  --seconds N        of each run, default 4
  --connections N    default 64; 8 with --smoke
  --only LIST        of ${TARGET_NAMES.join(', ')}
  --engine http-proxy   also Headgear with its second engine
  --load LIST        of ${LOADER_NAMES.join(', ')}; default: what is installed
  --scheme LIST      of ${SCHEMES.join(', ')}
  --json FILE        writes every figure as JSON too
  --smoke            one round of 0.3 s by autocannon: does it run, not how fast

Benches by name:
${benches}

For a profile of Headgear under load: BENCH_NODE_OPTIONS='--cpu-prof --cpu-prof-dir=/tmp/profiles' npm run bench -- --only headgear
`;
}
