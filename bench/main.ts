/** `npm run bench`: scenarios that compare targets, or single benches by name. */
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { readBenchArguments, type ScenarioArguments } from './arguments.ts';
import { formatVerdicts, judge } from './bars.ts';
import { helpText } from './help.ts';
import { formatReport, summarize } from './report.ts';
import { runScenarios } from './run.ts';

interface NamedBench {
  readonly summary: string;
  readonly load: () => Promise<{ run(): Promise<unknown> }>;
}

const NAMED: Readonly<Record<string, NamedBench>> = {
  'access-log': { summary: 'cost of a line of the access log', load: () => import('./access-log.ts') },
  'certificate-scale': {
    summary: 'start-up and memory with 100,000 alias certificates',
    load: () => import('./certificate-scale.ts'),
  },
  'certificates-10k': {
    summary: '10,000 certificates in Headgear, nginx and HAProxy: start, update, memory, handshakes',
    load: () => import('./certificates-10k.ts'),
  },
  copies: { summary: 'cost of copying pieces of heads and bodies', load: () => import('./copies.ts') },
  events: { summary: 'events from ActiveMQ to the table', load: () => import('./events.ts') },
  'fuzz-nightly': {
    summary: 'more than a million fuzzed cases for the parsers, and frames of HTTP/2 for the listener',
    load: () => import('./fuzz-nightly.ts'),
  },
  'head-read': { summary: 'cost of reading a head', load: () => import('./head-read.ts') },
  'spi-read': { summary: 'event bodies read a second', load: () => import('./spi-read.ts') },
  'store-commit': { summary: 'synced commits a second, recovery', load: () => import('./store-commit.ts') },
  'table-update': { summary: 'cost of one change by table size', load: () => import('./table-update.ts') },
  'tls-handshake': {
    summary: 'full handshakes against a plain TLS server',
    load: () => import('./tls-handshake.ts'),
  },
};

async function main(): Promise<number> {
  const args = readBenchArguments(process.argv.slice(2), Object.keys(NAMED));
  switch (args.kind) {
    case 'help':
      process.stdout.write(helpText(Object.entries(NAMED).map(([name, { summary }]) => [name, summary])));
      return 0;
    case 'wrong':
      process.stderr.write(`bench: ${args.reason}\nnpm run bench -- --help says what there is\n`);
      return 64;
    case 'named':
      for (const name of args.names) await (await NAMED[name]?.load())?.run();
      return 0;
    case 'scenarios':
      return await scenarios(args);
  }
}

async function scenarios(args: ScenarioArguments): Promise<number> {
  const say = (line: string): void => void process.stderr.write(`bench: ${line}\n`);
  const loadBefore = loadavg()[0] ?? 0;
  const { samples, titles, missing, broken } = await runScenarios({ ...args, say });
  const rows = summarize(samples);
  const verdicts = judge(samples);
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, load average ${loadBefore.toFixed(1)} before and ${(loadavg()[0] ?? 0).toFixed(1)} after`;
  if (args.json !== null) {
    writeFileSync(
      args.json,
      `${JSON.stringify({ machine, titles, missing, broken, rows, verdicts, samples }, null, 2)}\n`,
    );
  }
  process.stdout.write(
    `\n${formatReport(rows, args.scenarios)}\n` +
      `Bars (medians over the rounds):\n${formatVerdicts(verdicts)}\n\n` +
      `${args.rounds} interleaved rounds of ${args.seconds} s: median (least-most). CPU is the target's user and system time a request; ratios are taken within\n` +
      `each round; 'least' is the ratio to nginx of the cheapest round of each, which other work on the machine disturbs least.\n` +
      `${machine}\n${titles.join('; ')}\n` +
      missing.map((sentence) => `left out: ${sentence}\n`).join('') +
      broken.map((sentence) => `went wrong: ${sentence}\n`).join(''),
  );
  return broken.length === 0 ? 0 : 1;
}

// A signal has to take the way of an error, so that children end and files go.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
