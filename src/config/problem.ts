/** What is wrong with a configuration, and where. */

export interface Problem {
  /** Where, as an operator would write it: `bus.hosts[0].port`; '' is the whole file. */
  readonly path: string;
  /** What is wrong and what to do, one line. */
  readonly message: string;
}

export type Path = readonly PropertyKey[];

/** `['bus', 'hosts', 0, 'port']` as `bus.hosts[0].port`. */
export function pathText(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[\w-]+$/.test(String(part))) text += text === '' ? String(part) : `.${String(part)}`;
    else text += `[${JSON.stringify(String(part))}]`;
  }
  return text;
}

/** One line a problem, for terminals and logs. */
export function problemText(problem: Problem): string {
  return problem.path === '' ? problem.message : `${problem.path}: ${problem.message}`;
}
