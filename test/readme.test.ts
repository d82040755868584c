import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { load } from 'js-yaml';
import { configSchema } from '../src/config/schema.ts';
import { validateConfig } from '../src/config/validate.ts';
import { answerFor } from '../src/edge/respond.ts';
import { welcomeCommands } from '../src/sample/welcome.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, text = '']) => text,
  );

/** Every key of the schema, as `group.key`. */
function keysOf(schema: unknown, path: string): string[] {
  const def = (schema as { def?: { innerType?: unknown; shape?: Record<string, unknown> } }).def;
  if (def?.innerType !== undefined) return keysOf(def.innerType, path);
  if (def?.shape === undefined) return [path];
  return Object.entries(def.shape).flatMap(([key, inner]) =>
    keysOf(inner, path === '' ? key : `${path}.${key}`),
  );
}

describe('the README', () => {
  it('names every key of the configuration, and none that does not exist', () => {
    const real = keysOf(configSchema, '').sort();
    const rows = readme.slice(
      readme.indexOf('## Configuration reference'),
      readme.indexOf('## Architecture'),
    );
    const named = [...rows.matchAll(/^\| (.+?) \|/gm)]
      .flatMap(([, cell = '']) => [...cell.matchAll(/`([a-zA-Z0-9.]+)`/g)].map(([, key = '']) => key))
      .sort();
    assert.deepEqual(named, real);
  });

  it('shows a configuration that is valid', () => {
    const [example = ''] = blocks('yaml');
    const judged = validateConfig(load(example));
    assert.ok(judged.ok, JSON.stringify(judged));
    assert.deepEqual(judged.warnings, []);
  });

  it('uses only scripts that exist, and the curl command that npm start prints', () => {
    const commands = blocks('sh').flatMap((block) => block.trim().split('\n'));
    const printed = welcomeCommands({
      host: 'demo-sample.apps.example.test',
      haHost: 'ha-demo-sample.apps.example.test',
      http: { host: '::', port: 8080 },
      https: { host: '::', port: 8443 },
      admin: { host: '127.0.0.1', port: 9090 },
      intake: { host: '127.0.0.1', port: 61613 },
      caFile: 'certs/ca.pem',
    }).map(([, command]) => command);
    for (const command of commands) {
      const script = /^npm (?:run (\w+)|(start|test))/.exec(command);
      if (script !== null) assert.ok(manifest.scripts[script[1] ?? script[2] ?? ''], command);
      else assert.ok(printed.includes(command), command);
    }
  });

  it('lists failure codes under the status that they get', () => {
    for (const [, status = '', cell = ''] of readme.matchAll(
      /^\| (403|404|421|502|503|504)[^|]*\| (.+) \|$/gm,
    )) {
      for (const [, code = ''] of cell.matchAll(/`([A-Z_]+)`/g)) {
        assert.equal(String(answerFor(code as Parameters<typeof answerFor>[0]).status), status, code);
      }
    }
  });
});
