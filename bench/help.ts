/** What `npm run bench -- --help` prints. */
import { H1_LOADER_NAMES } from './load.ts';
import { GROUP_NAMES, LOAD_NAMES, SCENARIOS } from './scenarios.ts';
import { TARGET_NAMES } from './targets/target.ts';

/** `named`: name and summary of each bench that is no scenario. */
export function helpText(named: readonly (readonly [string, string])[]): string {
  const lines = (table: readonly (readonly [string, string])[]): string => {
    const width = Math.max(...table.map(([name]) => name.length)) + 2;
    return table.map(([name, text]) => `  ${name.padEnd(width)}${text}`).join('\n');
  };
  return `Usage: npm run bench                      1 KiB bodies over HTTP and HTTPS
       npm run bench -- all               every scenario, in one run (most of an hour)
       npm run bench -- GROUP|SCENARIO...  some of them; groups: ${GROUP_NAMES.join(', ')}
       npm run bench -- NAME...           single benches by name

Measures Headgear, nginx, HAProxy, Caddy and hops on node:http (http-proxy, httpxy, undici) in one run. Every target has one core, is
checked for right answers first, sets the same forwarding fields, streams bodies, writes an access log, and is measured in interleaved
rounds. What is not installed is named and left out.

Prints for each target: CPU microseconds a request (all its processes), as a ratio to nginx and to Headgear; p99; peak memory; failed
requests; and at the end Headgear's bars, met or not.

  --rounds N         default 5
  --seconds N        of each run, default 4
  --connections N    instead of the scenarios' own
  --only LIST        targets, of ${TARGET_NAMES.join(', ')}
  --engine http-proxy   also Headgear with its second engine
  --load LIST        of ${LOAD_NAMES.join(', ')}
  --scheme LIST      of http, https
  --by NAME          what drives HTTP/1.1, of ${H1_LOADER_NAMES.join(', ')}; default: wrk where it is installed
  --json FILE        writes every figure as JSON too
  --smoke            one short round of one scenario of each kind: does it run, not how fast

Scenarios:
${lines(SCENARIOS.map(({ name, title }) => [name, title]))}

Benches by name:
${lines(named)}

For a minute: npm run bench -- hop --load 64k --only headgear,nginx --rounds 3 --seconds 2
For a profile of Headgear under load: BENCH_NODE_OPTIONS='--cpu-prof --cpu-prof-dir=/tmp/profiles' npm run bench -- --only headgear
`;
}
