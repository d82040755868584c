#!/usr/bin/env node
import { processIo } from './cli/process-io.ts';
import { runCli } from './cli/run-cli.ts';

const args = process.argv.slice(2);
process.exitCode = await runCli(args, processIo(args[0] === 'run'));
// A handle that somebody forgot must not keep a stopped process alive.
setTimeout(() => process.exit(), 2_000).unref();
