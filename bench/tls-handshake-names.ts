/** Names that are in use at one time, each with a context of its own (BENCH_NAMES for another number). */
export const NAMES = Number(process.env.BENCH_NAMES ?? 500);

export function nameOf(n: number): string {
  return `shop-${n % NAMES}.example.org`;
}
