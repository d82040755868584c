/** ipaddr.js (owned by this room), as CommonJS, which it is: an `import` has Node read it twice, which is most of what it takes a start. */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export const ipaddr = require('ipaddr.js') as typeof import('ipaddr.js');
