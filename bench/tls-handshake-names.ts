/** Names that are in use at one time, each with a context of its own. */
export const NAMES = 500;

export function nameOf(n: number): string {
  return `shop-${n % NAMES}.example.org`;
}
