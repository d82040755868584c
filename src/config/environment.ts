/** Overrides from the environment: above all secrets, so that no file has to hold them. */
import { nearest } from './nearest.ts';
import type { Problem } from './problem.ts';

/** Variable -> key. A variable that is set wins over the file; the `passcodeFile` beside an overridden passcode is put aside. */
export const ENVIRONMENT_KEYS = {
  HEADGEAR_BUS_LOGIN: ['bus', 'login'],
  HEADGEAR_BUS_PASSCODE: ['bus', 'passcode'],
  HEADGEAR_INTAKE_LOGIN: ['intake', 'login'],
  HEADGEAR_INTAKE_PASSCODE: ['intake', 'passcode'],
  HEADGEAR_MASTER_KEY: ['masterKey', 'key'],
  HEADGEAR_LOG_LEVEL: ['log', 'level'],
} as const;

/** Variables that the commands read themselves (`headgear publish`). */
export const COMMAND_VARIABLES = ['HEADGEAR_LOGIN', 'HEADGEAR_PASSCODE'] as const;

export type Environment = Readonly<Record<string, string | undefined>>;

type Group = Readonly<Record<string, unknown>>;

/** `raw` with what the environment says; it stays raw, so that validation speaks of overrides and file alike. */
export function applyEnvironment(
  raw: Group,
  env: Environment,
): { readonly raw: Group; readonly warnings: readonly Problem[] } {
  let result = raw;
  const warnings: Problem[] = [];
  const known: readonly string[] = [...Object.keys(ENVIRONMENT_KEYS), ...COMMAND_VARIABLES];
  for (const name of Object.keys(env)) {
    if (!name.startsWith('HEADGEAR_') || known.includes(name)) continue;
    const meant = nearest(name, known);
    const hint = meant === null ? `known are ${known.join(', ')}` : `did you mean ${meant}?`;
    warnings.push({ path: name, message: `unknown environment variable; ${hint}` });
  }
  for (const [name, [group, key]] of Object.entries(ENVIRONMENT_KEYS)) {
    const value = env[name];
    if (value === undefined || value === '') continue;
    const former = result[group];
    if (former === undefined && group !== 'log' && group !== 'masterKey') {
      warnings.push({ path: name, message: `has no effect: the configuration has no ${group}` });
      continue;
    }
    // Anything but a group of keys is left for validation to refuse.
    if (former !== undefined && (typeof former !== 'object' || former === null)) continue;
    const { passcodeFile, ...others } = { ...(former as Group | undefined) };
    const kept = key === 'passcode' || passcodeFile === undefined ? others : { ...others, passcodeFile };
    result = { ...result, [group]: { ...kept, [key]: value } };
  }
  return { raw: result, warnings };
}

/**
 * Takes secrets out of the process's environment once they were read: processes that it starts do not get them, and crash reports, which
 * print the environment, do not show them. (What the system shows its owner under /proc stays.)
 */
export function forgetSecrets(env: Record<string, string | undefined>): void {
  for (const [name, [, key]] of Object.entries(ENVIRONMENT_KEYS)) {
    if (key === 'passcode' || key === 'key') delete env[name];
  }
}
