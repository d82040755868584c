/** Times as text for the hot path: what changes once a second is made once a second, the rest is looked up. */

/** `000` to `999`. */
const THREE_DIGITS: readonly string[] = Array.from({ length: 1_000 }, (_, n) => String(n).padStart(3, '0'));

let second = -1;
let isoText = '';

function at(epochUs: number): number {
  const whole = Math.floor(epochUs / 1e6);
  if (whole !== second) {
    second = whole;
    isoText = new Date(whole * 1_000).toISOString().slice(0, 19);
  }
  return epochUs - whole * 1e6;
}

/** Epoch microseconds as UTC, ISO 8601 with milliseconds. */
export function isoMilliseconds(epochUs: number): string {
  const ms = Math.floor(at(epochUs) / 1_000);
  return `${isoText}.${THREE_DIGITS[ms]}Z`;
}
