/** Event bodies read a second, from bytes to event: a typical endpoint event and an add_ssl as OSE 2 brokers write them. */
import { readFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { readEvent } from '../src/spi/decode.ts';

const FIXTURES = fileURLToPath(new URL('../../test/fixtures/spi/psych-1.2.2/', import.meta.url));
const LIMITS = { maxBodyBytes: 1_048_576, maxDepth: 16, maxAliases: 16 };
const ROUNDS = 5;
const ROUND_MS = 400;

export interface ReadRate {
  readonly name: string;
  readonly bytes: number;
  /** Median of the rounds. */
  readonly documentsPerSecond: number;
}

function measure(name: string, file: string): ReadRate {
  const body = readFileSync(`${FIXTURES}${file}`);
  if (readEvent(body, LIMITS).kind !== 'event') throw new Error(`${file} is no event`);
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    let count = 0;
    while (performance.now() - start < ROUND_MS) {
      for (let times = 0; times < 20; times++) readEvent(body, LIMITS);
      count += 20;
    }
    rates.push((count / (performance.now() - start)) * 1_000);
  }
  rates.sort((a, b) => a - b);
  return { name, bytes: body.length, documentsPerSecond: Math.round(rates[Math.floor(ROUNDS / 2)] ?? 0) };
}

/** Measures, prints a line each, and returns what was printed. Takes about 4 s. */
export async function run(): Promise<readonly ReadRate[]> {
  const rates = [
    measure('add_public_endpoint', '03-add_public_endpoint.yml'),
    measure('add_ssl', '07-add_ssl.yml'),
  ];
  for (const { name, bytes, documentsPerSecond } of rates) {
    console.log(`spi-read ${name} (${bytes} bytes): ${documentsPerSecond} documents/s`);
  }
  return rates;
}

if (argv[1] === fileURLToPath(import.meta.url)) await run();
