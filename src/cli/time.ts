/** Times as operators write them. */
import { UsageError } from './command.ts';

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Epoch milliseconds of `2026-11-21T12:00:00Z`, of `90m` (ago), or of `now`. */
export function timeArgument(option: string, text: string, now: number): number {
  if (text === 'now') return now;
  const ago = /^(\d{1,6})([smhd])$/.exec(text);
  if (ago !== null) return now - Number(ago[1]) * (UNITS[ago[2] ?? ''] ?? 0);
  const time = Date.parse(text);
  if (Number.isNaN(time))
    throw new UsageError(
      `${option} wants a time such as 2026-11-21T12:00:00Z, or 90m, 6h, 2d ago, not ${JSON.stringify(text)}`,
    );
  return time;
}
