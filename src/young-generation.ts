/**
 * How fast V8's young generation grows. It begins small, doubles where much of it survived, and shrinks again in a process that has little to
 * do; small, it is collected often under load, and each collection finds the requests under way alive. Grown at once it is collected as
 * often as the traffic needs. Measured in processes that were idle in between (README, "Performance").
 */
import { setFlagsFromString } from 'node:v8';

/** From its first sizes to 16 MiB a half in one step, which is the greatest of Node 20 and 22; Node 24 may add a second to 64 MiB, as it would in smaller ones. */
const FACTOR = 16;

/**
 * Has V8 do so for as long as the process lives, unless the command line says by how much; the greatest size stays V8's or the command
 * line's (`--max-semi-space-size`). Not `--min-semi-space-size`, which does the same or a little more, but must be given to `node`.
 */
export function growYoungGenerationAtOnce(): void {
  if (process.execArgv.some((argument) => /^--semi[-_]space[-_]growth[-_]factor\b/.test(argument))) return;
  setFlagsFromString(`--semi-space-growth-factor=${FACTOR}`);
}
