/** One setting of V8, for the whole process. */
import { setFlagsFromString } from 'node:v8';

/** Of V8's options, all of which Node 20, 22 and 24 know: bytes of bytecode. Theirs are 460 and 920. */
const BUDGETS = ['--max-inlined-bytecode-size=2000', '--max-inlined-bytecode-size-cumulative=4000'] as const;
/** A later Node's V8 may not have them any more, and would say so on standard error at each start. */
const LATEST_TRIED = 24;

/**
 * Lets the optimizing compiler inline more: a request's way leads through many small functions of several rooms, and the budget that is
 * meant for a page in a browser is used up before its end (2 to 4 % of the CPU a request over HTTPS, `npm run bench`). For code that is compiled from now on.
 */
export function inlineMore(): void {
  if (Number(process.versions.node.split('.')[0]) > LATEST_TRIED) return;
  for (const budget of BUDGETS) setFlagsFromString(budget);
}
