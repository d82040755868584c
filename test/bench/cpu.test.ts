import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { cpuMicroseconds } from '../../bench/cpu.ts';

const WITHOUT_PROC = existsSync('/proc/self/stat') ? false : 'there is no /proc';

test('CPU of a process holds that of its children that have ended', { skip: WITHOUT_PROC }, () => {
  const before = cpuMicroseconds(process.pid) ?? 0;
  execFileSync(process.execPath, ['-e', 'while (process.cpuUsage().user < 300_000);']);
  assert.ok((cpuMicroseconds(process.pid) ?? 0) - before >= 290_000);
});
