/** The format of `routing-daemon.conf`: what Ruby's ParseConfig reads, line for line (domain.md 11). Pure. */
import type { Problem } from './problem.ts';

export interface RoutingDaemonFile {
  /** Every key, dotted ones as they are written. */
  readonly values: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
}

/**
 * `KEY=value` with blanks around either, quotes of one kind around the value, `#` and `;` at the start of a line for comments. As
 * there, a comment behind a value belongs to the value, the last of two lines with one key counts, and groups in brackets are
 * nothing the daemon reads.
 */
export function readRoutingDaemonFile(text: string): RoutingDaemonFile {
  const values = new Map<string, string>();
  const problems: Problem[] = [];
  let group: string | null = null;
  for (const [n, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const path = `line ${n + 1}`;
    const at = line.indexOf('=');
    if (at < 1) {
      group = /^\[(.+)\]$/.exec(line)?.[1] ?? group;
      // The line is not quoted: it may be the second half of a password.
      problems.push({ path, message: group === null ? 'is no KEY=value: left out' : 'begins a group' });
      continue;
    }
    const key = line.slice(0, at).trim();
    const value = line.slice(at + 1).trim();
    if (group !== null) {
      problems.push({
        path,
        message: `${key} is within a group, where the routing daemon does not look: left out`,
      });
      continue;
    }
    if (values.has(key)) problems.push({ path, message: `${key} is given twice: the last one counts` });
    values.set(key, /^(['"])(.*)\1$/.exec(value)?.[2] ?? value);
  }
  return { values, problems };
}
