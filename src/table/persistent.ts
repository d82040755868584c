/**
 * immutable.js (owned by this room), as CommonJS, which it is: an `import` has Node read all of it once more in search of its exports, which takes
 * a start several times as long as the rest of the loading does.
 */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export const { Map: PersistentMap, OrderedMap } = require('immutable') as typeof import('immutable');
