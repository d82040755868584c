/**
 * The text of a configuration, and what it says before anybody judges it.
 *
 * js-yaml has two owners: this file for the configuration (an operator's, YAML 1.2 core schema) and spi/document.ts for
 * event bodies (a stranger's, failsafe schema with limits). They share nothing on purpose.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CORE_SCHEMA, load } from 'js-yaml';
import { DEFAULT_STATE_DIR } from './default-state-dir.ts';
import type { Problem } from './problem.ts';

const MAX_FILE_BYTES = 4_194_304;

export type Text =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problem: Problem };
export type Document =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: Problem };

/** Reads `file` (YAML, or JSON where it is named so). Never throws. */
export function readDocument(file: string): Document {
  const source = readText(file, '', MAX_FILE_BYTES);
  if (!source.ok) return source;
  const isJson = file.endsWith('.json');
  try {
    const value: unknown = isJson ? JSON.parse(source.text) : load(source.text, { schema: CORE_SCHEMA });
    return { ok: true, value };
  } catch (error) {
    const message = `is not valid ${isJson ? 'JSON' : 'YAML'}: ${firstLine(error)}`;
    return { ok: false, problem: { path: '', message } };
  }
}

/** A file's text without its byte order mark. `path`: of the key that names it. */
export function readText(file: string, path: string, maxBytes: number): Text {
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

/**
 * Where the state is going to be if the configuration turns out to be good, as an absolute path: to judge it takes as long as reading a good
 * part of the store, which can begin meanwhile. null: it will not be good.
 */
export function stateDirAhead(file: string): string | null {
  const document = readDocument(file);
  if (!document.ok || typeof document.value !== 'object' || document.value === null) return null;
  const { stateDir = DEFAULT_STATE_DIR } = document.value as { readonly stateDir?: unknown };
  return typeof stateDir === 'string' ? resolve(dirname(resolve(file)), stateDir) : null;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
}
