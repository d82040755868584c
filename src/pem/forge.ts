/** node-forge, which takes the time of forty files to load, for the few keys that Node does not read: loaded with the first of them. */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export function forge(): typeof import('node-forge') {
  return require('node-forge') as typeof import('node-forge');
}
