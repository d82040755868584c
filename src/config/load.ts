/** Brings a configuration in: file, environment, passcode files. A thin shell; judging is validate.ts. */
import { dirname, resolve } from 'node:path';
import { isOpenToStrangers } from './check-files.ts';
import { applyEnvironment, type Environment } from './environment.ts';
import { withFiles } from './file-keys.ts';
import type { Problem } from './problem.ts';
import { readDocument, readText } from './read-document.ts';
import type { Config } from './schema.ts';
import { type Validated, validateConfig } from './validate.ts';

/**
 * Reads `file` (YAML or JSON), applies the environment, validates, makes relative paths absolute (they are relative to the
 * file's own folder, wherever the process was started), and reads the passcode files. Never throws: what cannot be read is
 * a problem as well. Other files that the configuration names are looked at by `checkFiles`.
 */
export function loadConfig(file: string, env: Environment): Validated {
  const document = readDocument(file);
  if (!document.ok) return failed(document.problem);
  const parsed = document.value;
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return validateConfig(parsed);
  const overridden = applyEnvironment(parsed as Readonly<Record<string, unknown>>, env);
  const validated = validateConfig(overridden.raw);
  const warnings = [...openFileWarnings(file, parsed), ...overridden.warnings, ...validated.warnings];
  if (!validated.ok) return { ...validated, warnings };
  const folder = dirname(resolve(file));
  const { config, problems } = withPasscodes(withFiles(validated.config, (named) => resolve(folder, named)));
  return problems.length === 0 ? { ok: true, config, warnings } : { ok: false, problems, warnings };
}

function failed(problem: Problem): Validated {
  return { ok: false, problems: [problem], warnings: [] };
}

function openFileWarnings(file: string, parsed: object): Problem[] {
  const groups = Object.values(parsed) as unknown[];
  const holdsPasscode = groups.some(
    (group) => typeof group === 'object' && group !== null && 'passcode' in group,
  );
  if (!holdsPasscode || !isOpenToStrangers(file)) return [];
  const message = `${file} holds a passcode and everybody on this machine can read it: chmod 640 it, or use passcodeFile`;
  return [{ path: '', message }];
}

const MAX_PASSCODE_BYTES = 4_096;

function withPasscodes(config: Config): { readonly config: Config; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const filled = <
    T extends { readonly passcode?: string | undefined; readonly passcodeFile?: string | undefined },
  >(
    keys: T,
    path: string,
  ): T => {
    if (keys.passcodeFile === undefined) return keys;
    const source = readText(keys.passcodeFile, `${path}.passcodeFile`, MAX_PASSCODE_BYTES);
    if (source.ok) return { ...keys, passcode: source.text.replace(/\r?\n$/, '') };
    problems.push(source.problem);
    return keys;
  };
  const { bus, intake } = config;
  const result: Config = {
    ...config,
    ...(bus === undefined ? {} : { bus: filled(bus, 'bus') }),
    ...(intake === undefined ? {} : { intake: filled(intake, 'intake') }),
  };
  return { config: result, problems };
}
