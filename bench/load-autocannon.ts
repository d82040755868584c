/** Load by autocannon, a package: for machines without wrk, and for runs shorter than the second that wrk takes at least. */
import type { Children } from './children.ts';
import type { Loader } from './load.ts';
import { startLoadProcess } from './load-process.ts';

export function startAutocannon(children: Children): Loader {
  return startLoadProcess(children, {
    name: 'autocannon',
    title: 'autocannon 9, one thread',
    script: './load-autocannon-process.js',
  });
}
