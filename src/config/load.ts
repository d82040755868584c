/**
 * Brings a configuration in: file, environment, passcode files. A thin shell; judging is validate.ts.
 *
 * js-yaml has two owners: this file for the configuration (an operator's, YAML 1.2 core schema) and spi/document.ts for
 * event bodies (a stranger's, failsafe schema with limits). They share nothing on purpose.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CORE_SCHEMA, load } from 'js-yaml';
import { isOpenToStrangers } from './check-files.ts';
import { applyEnvironment, type Environment } from './environment.ts';
import { withFiles } from './file-keys.ts';
import type { Problem } from './problem.ts';
import type { Config } from './schema.ts';
import { type Validated, validateConfig } from './validate.ts';

const MAX_FILE_BYTES = 4_194_304;

type Text = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problem: Problem };

/**
 * Reads `file` (YAML or JSON), applies the environment, validates, makes relative paths absolute (they are relative to the
 * file's own folder, wherever the process was started), and reads the passcode files. Never throws: what cannot be read is
 * a problem as well. Other files that the configuration names are looked at by `checkFiles`.
 */
export function loadConfig(file: string, env: Environment): Validated {
  const source = readText(file, '', MAX_FILE_BYTES);
  if (!source.ok) return failed(source.problem);
  let parsed: unknown;
  try {
    parsed = file.endsWith('.json') ? JSON.parse(source.text) : load(source.text, { schema: CORE_SCHEMA });
  } catch (error) {
    return failed({
      path: '',
      message: `is not valid ${file.endsWith('.json') ? 'JSON' : 'YAML'}: ${firstLine(error)}`,
    });
  }
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

function readText(file: string, path: string, maxBytes: number): Text {
  try {
    const { size } = statSync(file);
    if (size > maxBytes)
      return { ok: false, problem: { path, message: `${file} is larger than ${maxBytes} bytes` } };
    return { ok: true, text: readFileSync(file, 'utf8').replace(/^\uFEFF/, '') };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read: ${code ?? String(error)}`;
    return { ok: false, problem: { path, message: `${file} ${why}` } };
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
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
