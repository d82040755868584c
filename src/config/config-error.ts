/** A configuration that cannot be used, as an error for those who start the program by it. */
import { type Problem, problemText } from './problem.ts';

export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID';
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[]) {
    super([`${file} cannot be used:`, ...problems.map((problem) => `  ${problemText(problem)}`)].join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
