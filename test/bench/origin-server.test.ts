import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createChildren } from '../../bench/children.ts';
import { ORIGIN_BODY } from '../../bench/origin-bodies.ts';
import { untilConnectable } from '../../bench/wait.ts';
import { freePort } from '../support/ports.ts';

const script = fileURLToPath(new URL('../../bench/origin-server.js', import.meta.url));

function textOf(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, headers: { 'X-Client-IP': '192.0.2.1' } }, (response) => {
      let text = '';
      response.setEncoding('latin1').on('data', (piece: string) => {
        text += piece;
      });
      response.once('end', () => resolve(text));
    }).once('error', reject);
  });
}

test('the origin that stands in for nginx answers 1 KiB, and at /echo what it was asked', async () => {
  const children = createChildren(mkdtempSync(join(tmpdir(), 'headgear-test-')));
  try {
    const port = await freePort();
    const child = children.start('origin', {
      command: process.execPath,
      args: [script, String(port)],
      on: 'rest',
    });
    await untilConnectable(port, child);
    assert.equal(await textOf(port, '/'), ORIGIN_BODY);
    assert.equal(ORIGIN_BODY.length, 1_024);
    const echoed = await textOf(port, '/echo');
    assert.match(echoed, /^X-Client-IP: 192\.0\.2\.1$/m);
    assert.match(echoed, /^connection-requests: \d+$/m);
    assert.equal((await textOf(port, '/64k')).length, 65_536);
  } finally {
    await children.stop();
  }
});
