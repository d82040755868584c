/**
 * Loader hooks that put the real rooms of the program behind wrappers, each of which ends the process (SIGKILL) at a step of an event's journey.
 * `crash-at.ts` registers them; the program itself knows nothing of it.
 */

/** Built file under src/ -> the function that is wrapped. */
const WRAPPED: Readonly<Record<string, string>> = {
  'src/store/open-store.js': 'openStore',
  'src/stomp/subscriber.js': 'startSubscriber',
  'src/control/costly.js': 'createCostly',
  'src/plane/create-plane.js': 'createPlane',
};

interface Loaded {
  readonly format: string;
  readonly shortCircuit: boolean;
  readonly source: string;
}

export async function load(
  url: string,
  context: object,
  next: (url: string, context: object) => Promise<Loaded>,
): Promise<Loaded> {
  const file = Object.keys(WRAPPED).find((name) => url.endsWith(`/${name}`));
  const name = file === undefined ? undefined : WRAPPED[file];
  if (name === undefined) return next(url, context);
  const real = JSON.stringify(`${url}?real`);
  const wrappers = JSON.stringify(new URL('./crash-at.js', import.meta.url).href);
  const source =
    `export * from ${real};\nimport { ${name} as real } from ${real};\n` +
    `import { wrappers } from ${wrappers};\nexport const ${name} = wrappers.${name}(real);\n`;
  return { format: 'module', shortCircuit: true, source };
}
