/** The routing daemon's pool names back to applications (domain.md 11, POOL_NAME). Pure. */
import type { AppRef } from '../spi/events.ts';
import { fitsLabel, normalName } from '../spi/names.ts';

export type PoolNames =
  | { readonly ok: true; readonly appOf: (pool: string) => AppRef | null }
  | { readonly ok: false; readonly reason: string };

/**
 * Reads `format` (`pool_ose_%a_%n_80`): `%a` is the application, `%n` the namespace, any other `%x` nothing, as the daemon writes it. A
 * format that could mean two applications with one name is refused: a guess would give one tenant's name to another.
 */
export function poolNames(format: string): PoolNames {
  const parts = format.split(/(%.)/).map((part) => (/^%[^an]$/.test(part) ? '' : part));
  const text = parts.join('');
  if (text.split('%a').length !== 2 || text.split('%n').length !== 2) {
    return {
      ok: false,
      reason: `POOL_NAME ${format} does not hold %a and %n once each: pools cannot be mapped`,
    };
  }
  const between = /%[an](.*)%[an]/.exec(text)?.[1] ?? '';
  if (!/[^A-Za-z0-9]/.test(between)) {
    const reason = `POOL_NAME ${format} does not keep %a and %n apart: pools cannot be mapped without guessing`;
    return { ok: false, reason };
  }
  const source = text
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replace('%a', '(?<app>[A-Za-z0-9]+)')
    .replace('%n', '(?<namespace>[A-Za-z0-9]+)');
  const pattern = new RegExp(`^${source}$`);
  return {
    ok: true,
    appOf(pool) {
      const groups = pattern.exec(pool)?.groups;
      const [appName, namespace] = [normalName(groups?.app ?? ''), normalName(groups?.namespace ?? '')];
      if (appName === null || namespace === null || !fitsLabel(appName, namespace)) return null;
      return { appName, namespace };
    },
  };
}
