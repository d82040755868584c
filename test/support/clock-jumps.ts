/** Preloaded into the real program: each SIGUSR2 makes its clock jump, an hour back, a day ahead, and so on. Monotonic time goes on. */
const JUMPS_MS = [-3_600_000, 86_400_000, -2 * 86_400_000, 400 * 86_400_000];

const real = Date.now;
let offset = 0;
let next = 0;
Date.now = () => real() + offset;
process.on('SIGUSR2', () => {
  offset += JUMPS_MS[next % JUMPS_MS.length] ?? 0;
  next += 1;
  process.stderr.write(`clock jumped to ${offset}\n`);
});
