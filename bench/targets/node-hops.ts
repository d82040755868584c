/** http-proxy, httpxy and undici on node:http, with keep-alive to the origin and nothing more than the common work. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { startNodeServer } from './node-server.ts';
import type { TargetKind } from './target.ts';

export const httpProxy = nodeHop('http-proxy');
export const httpxy = nodeHop('httpxy');
export const undici = nodeHop('undici');

/** Named after its package. */
function nodeHop(name: 'http-proxy' | 'httpxy' | 'undici'): TargetKind {
  return {
    name,
    find: () => ({ title: `${name} ${versionOf(name)} on node:http, Node ${process.version}` }),
    start: (scenery) => startNodeServer(name, scenery),
  };
}

/** Of the package that is installed; not every package exports its package.json. */
function versionOf(packageName: string): string {
  const require = createRequire(import.meta.url);
  for (
    let folder = dirname(require.resolve(packageName));
    dirname(folder) !== folder;
    folder = dirname(folder)
  ) {
    try {
      const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
        version?: string;
      };
      if (version !== undefined) return version;
    } catch {
      // Further up.
    }
  }
  return '?';
}
