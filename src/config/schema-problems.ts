/** What the schema says of a raw configuration, in words for operators, with the nearest known key for a mistyped one. */
import type { z } from 'zod';
import { nearest } from './nearest.ts';
import { type Path, type Problem, pathText } from './problem.ts';

type Issue = z.core.$ZodIssue;

/** One problem an issue; an issue of unknown keys gives one a key. */
export function schemaProblems(schema: z.ZodType, raw: unknown, issues: readonly Issue[]): Problem[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') {
      const secret = /passcode|^key$/i.test(String(issue.path.at(-1)));
      return [{ path: pathText(issue.path), message: message(issue, valueAt(raw, issue.path), secret) }];
    }
    const known = keysAt(schema, issue.path);
    return issue.keys.map((key) => {
      const meant = nearest(key, known);
      const hint = meant === null ? `known keys: ${known.join(', ')}` : `did you mean ${meant}?`;
      return { path: pathText([...issue.path, key]), message: `unknown key; ${hint}` };
    });
  });
}

/** Paths of the values that an issue speaks of. */
export function blamedPaths(issue: Issue): Path[] {
  return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
}

function message(issue: Issue, value: unknown, secret: boolean): string {
  const got = secret ? `a ${typeof value}` : shortly(value);
  switch (issue.code) {
    case 'invalid_type':
      if (value === undefined) return `is required (${issue.expected})`;
      if (issue.expected === 'string' && typeof value === 'number')
        return `must be text: write the number in quotes`;
      return `must be ${withArticle(issue.expected)}, not ${got}`;
    case 'too_small':
    case 'too_big':
      return bound(issue, got);
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}, not ${got}`;
    default:
      return `${issue.message} (it is ${got})`;
  }
}

function bound(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>, got: string): string {
  // A message of the schema's own says more than the bare bound.
  if (!/^(Too|Invalid)/.test(issue.message)) return `${issue.message} (it is ${got})`;
  const limit = issue.code === 'too_small' ? issue.minimum : issue.maximum;
  const word = issue.code === 'too_small' ? 'at least' : 'at most';
  if (issue.origin === 'array')
    return `must have ${word} ${limit} ${Number(limit) === 1 ? 'entry' : 'entries'}`;
  if (issue.origin === 'string')
    return `must have ${word} ${limit} ${Number(limit) === 1 ? 'character' : 'characters'}`;
  return `must be ${word} ${limit}, not ${got}`;
}

function withArticle(type: string): string {
  if (type === 'int') return 'a whole number';
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}

/** Values are shown in short, so that a misplaced key or passcode does not end up whole in a log. */
function shortly(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a group of keys';
  if (typeof value === 'string')
    return value.length <= 40 ? JSON.stringify(value) : `a text of ${value.length} characters`;
  return String(value);
}

function valueAt(raw: unknown, path: Path): unknown {
  let value = raw;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

/** Keys that the schema knows at a path. */
function keysAt(schema: z.ZodType, path: Path): string[] {
  let here = unwrapped(schema);
  for (const part of path) {
    const next =
      typeof part === 'number'
        ? here.element
        : here.shape?.[String(part)] !== undefined
          ? here.shape[String(part)]
          : here.valueType;
    if (next === undefined) return [];
    here = unwrapped(next);
  }
  return Object.keys(here.shape ?? {});
}

interface SchemaParts {
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
}

/** Looks through `optional`, `default` and `prefault` at what is wrapped. */
function unwrapped(schema: z.ZodType): SchemaParts {
  let here = schema as z.ZodType & SchemaParts;
  for (;;) {
    const inner = (here.def as { readonly innerType?: z.ZodType }).innerType;
    if (inner === undefined) return here;
    here = inner as z.ZodType & SchemaParts;
  }
}
