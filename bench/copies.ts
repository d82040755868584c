/** What copying a piece of a head or body costs in the ways that there are: why what passes through lies in one arena (src/upstream/arena.ts). */
const ROOM_BYTES = 65_536;
const SIZES = [32, 128, 1_024] as const;
const ROUNDS = 5;
const PER_ROUND = 200_000;

/** Prints nanoseconds a copy, the best of five rounds. */
export async function run(): Promise<void> {
  const arena = Buffer.alloc(2 * ROOM_BYTES);
  const plain = new Uint8Array(arena.buffer, arena.byteOffset, arena.length);
  const [source, target] = [Buffer.alloc(ROOM_BYTES), Buffer.alloc(ROOM_BYTES)];
  for (const size of SIZES) {
    const whole = source.subarray(0, size);
    const text = 'x'.repeat(size);
    const ways: readonly (readonly [string, (at: number) => unknown])[] = [
      ['within the arena', (at) => arena.copyWithin(ROOM_BYTES + at, at, at + size)],
      ['a whole buffer', (at) => target.set(whole, at)],
      ['a view made for it', (at) => target.set(source.subarray(at, at + size), at)],
      ['such a view alone', (at) => source.subarray(at, at + size)],
      ['a view of the engine’s own kind alone', (at) => plain.subarray(at, at + size)],
      ['flat text', (at) => target.write(text, at, 'latin1')],
      ['byte by byte', (at) => copyBytes(source, target, at, size)],
    ];
    for (const [name, copy] of ways) {
      process.stdout.write(`${size} bytes, ${name}: ${best(copy).toFixed(0)} ns\n`);
    }
  }
}

function copyBytes(source: Buffer, target: Buffer, from: number, size: number): void {
  for (let at = from; at < from + size; at++) target[at] = source[at] ?? 0;
}

/** Nanoseconds a call. */
function best(copy: (at: number) => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (let index = 0; index < PER_ROUND; index++) copy(index & 63);
    least = Math.min(least, ((performance.now() - start) * 1e6) / PER_ROUND);
  }
  return least;
}
