/** Judges a configuration: every problem at once, each with its path. Pure: files are looked at in check-files.ts. */
import { crossProblems } from './cross-checks.ts';
import { type Path, type Problem, pathText } from './problem.ts';
import { type Config, configSchema } from './schema.ts';
import { blamedPaths, schemaProblems } from './schema-problems.ts';

export type Validated =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] };

/** Turns parsed YAML or JSON into a configuration with every default filled in, or says everything that is wrong with it. */
export function validateConfig(raw: unknown): Validated {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    return { ok: false, problems: [{ path: '', message: 'must be a group of keys' }], warnings: [] };
  }
  const parsed = configSchema.safeParse(raw);
  if (parsed.success) {
    const { problems, warnings } = crossProblems(parsed.data);
    return problems.length === 0
      ? { ok: true, config: parsed.data, warnings }
      : { ok: false, problems, warnings };
  }
  const problems = schemaProblems(configSchema, raw, parsed.error.issues);
  const repaired = repair(raw);
  if (repaired === null) return { ok: false, problems, warnings: [] };
  const cross = crossProblems(repaired.config);
  const ofOtherKeys = (problem: Problem): boolean =>
    !repaired.taken.some((path) => touches(path, problem.path));
  return {
    ok: false,
    problems: [...problems, ...cross.problems.filter(ofOtherKeys)],
    warnings: cross.warnings.filter(ofOtherKeys),
  };
}

const MAX_REPAIRS = 12;

/**
 * The configuration without the values that the schema refuses, so that the checks across keys can speak of the rest in
 * the same run: an operator should not have to fix one problem to see the next.
 */
function repair(raw: object): { readonly config: Config; readonly taken: readonly string[] } | null {
  let here: unknown = raw;
  const taken = new Set<string>();
  for (let round = 0; round < MAX_REPAIRS; round += 1) {
    const parsed = configSchema.safeParse(here);
    if (parsed.success) return { config: parsed.data, taken: [...taken] };
    const tried = new Set(taken);
    for (const path of parsed.error.issues.flatMap(blamedPaths)) {
      let blamed = path;
      // Taking it away did not help, so it is required: then what requires it goes.
      while (blamed.length > 0 && tried.has(pathText(blamed)) && !PLACEHOLDERS.has(pathText(blamed))) {
        blamed = blamed.slice(0, -1);
      }
      if (blamed.length === 0) return null;
      taken.add(pathText(blamed));
      here = without(here, blamed);
    }
  }
  return null;
}

/** Stand-ins for what the whole file cannot do without. */
const PLACEHOLDERS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['cloudDomain', 'example.invalid'],
  ['listeners', {}],
]);

/** Same positions for what stays in a list: the place of what goes is left undefined. */
function without(value: unknown, path: Path): unknown {
  const [first, ...rest] = path;
  if (first === undefined || typeof value !== 'object' || value === null) return value;
  const inside = (value as Record<PropertyKey, unknown>)[first];
  const now = rest.length > 0 ? without(inside, rest) : PLACEHOLDERS.get(pathText(path));
  if (Array.isArray(value)) return value.map((entry, index) => (index === first ? now : entry));
  const { [String(first)]: _gone, ...others } = value as Record<string, unknown>;
  return now === undefined ? others : { ...others, [first]: now };
}

/** One path leads through the other: what is said of `problemPath` may come from what was taken away. */
function touches(taken: string, problemPath: string): boolean {
  const leads = (from: string, to: string): boolean =>
    to === from || to.startsWith(`${from}.`) || to.startsWith(`${from}[`) || from === '';
  return leads(taken, problemPath) || leads(problemPath, taken);
}
