/** A real browser: what it makes of certificates chosen by name, of HTTP/2, and of a WebSocket within it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { publishedCertificate, testCertificate } from '../support/certificates.ts';
import { endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { requirePart, skipWithout } from '../support/parts.ts';

const ALIAS = 'www.example.org';
const WILDCARD = '*.apps.example.test';
const PATIENCE_MS = 60_000;
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Tells what it saw: how it came itself, what the alias says, what the WebSocket gives back. */
const PAGE = `<!doctype html><title>page</title><script type="module">
const seen = { page: performance.getEntriesByType('navigation')[0].nextHopProtocol };
try {
  seen.alias = await (await fetch('https://${ALIAS}/text')).text();
  const socket = new WebSocket('wss://' + location.host + '/chat');
  seen.echo = await new Promise((resolve, reject) => {
    socket.onopen = () => socket.send('hello');
    socket.onmessage = ({ data }) => resolve(data);
    socket.onerror = () => reject(new Error('the WebSocket failed'));
  });
} catch (error) {
  seen.error = String(error);
}
await fetch('/seen', { method: 'POST', body: JSON.stringify(seen) });
</script>`;

/** A gear with the page, which keeps what the page tells, and an echo for one short message. */
async function startPageGear(): Promise<{
  readonly port: number;
  readonly told: string[];
  stop(): void;
}> {
  const told: string[] = [];
  const server = createServer((request, response) => {
    response.setHeader('Access-Control-Allow-Origin', '*');
    if (request.url === '/') response.setHeader('Content-Type', 'text/html').end(PAGE);
    else if (request.url === '/text') response.end(`text of ${request.headers.host}`);
    else if (request.url === '/seen') {
      let body = '';
      request.on('data', (chunk) => {
        body += String(chunk);
      });
      request.on('end', () => {
        told.push(body);
        response.end();
      });
    } else response.writeHead(404).end();
  });
  server.on('upgrade', (request, socket) => {
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}${GUID}`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on('error', () => {});
    socket.once('data', (message: Buffer) => {
      // A masked text of at most 125 bytes (RFC 6455 5.2).
      const mask = message.subarray(2, 6);
      const text = message.subarray(6).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
      socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    told,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** For which of our certificates the browser is to make an exception: it knows nothing of the tests' CA. */
function keyDigest(pem: string): string {
  const key = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('base64');
}

/** A browser for which every host is at `port`. Returns what ends it, with all its processes. */
function openBrowser(url: string, port: number, digests: readonly string[]): () => Promise<void> {
  const profile = mkdtempSync(join(tmpdir(), 'headgear-chromium-'));
  const args = [
    ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
    ...['--disable-background-networking', '--disable-component-update', '--disable-dev-shm-usage'],
    `--user-data-dir=${profile}`,
    `--host-resolver-rules=MAP * 127.0.0.1:${port}`,
    `--ignore-certificate-errors-spki-list=${digests.join(',')}`,
    '--remote-debugging-port=0',
    url,
  ];
  // A group of its own: it starts many processes, and all have to go.
  const browser = spawn(requirePart('chromium'), args, { detached: true, stdio: 'ignore' });
  const gone = once(browser, 'exit');
  return async () => {
    if (browser.pid !== undefined && browser.exitCode === null) process.kill(-browser.pid, 'SIGKILL');
    await gone;
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  };
}

describe('Chromium', { skip: skipWithout('chromium') }, () => {
  it('loads a page over HTTP/2, an alias by its own certificate, and talks over a WebSocket', async (t) => {
    const gear = await startPageGear();
    t.after(gear.stop);
    const edge = await startDataPlane({}, [WILDCARD]);
    t.after(edge.stop);
    await edge.route([endpointAt(gear.port)]);
    await edge.route([endpointAt(gear.port)], { host: ALIAS });
    await edge.certificate(ALIAS, publishedCertificate([ALIAS], 2));
    const digests = [testCertificate([WILDCARD]), testCertificate([ALIAS], 2)].map(({ chainPem }) =>
      keyDigest(chainPem),
    );
    assert.notEqual(digests[0], digests[1]);
    const close = openBrowser(`https://${HOST}/`, edge.httpsPort, digests);
    t.after(close);
    await eventually(() => gear.told.length > 0, 'the page has told what it saw', PATIENCE_MS);
    assert.deepEqual(JSON.parse(gear.told[0] ?? ''), {
      page: 'h2',
      alias: `text of ${ALIAS}`,
      echo: 'hello',
    });
    await close();
    await eventually(
      () => edge.plane.status().connections === 0,
      'the browser’s connections are gone',
      PATIENCE_MS,
    );
    const chat = edge.finished.find(({ target }) => target === '/chat');
    // Over HTTP/2 the tunnel is opened with 200 (RFC 8441 5).
    assert.deepEqual([chat?.protocol, chat?.status], ['HTTP/2', 200]);
    assert.ok(edge.finished.every(({ protocol, scheme }) => protocol === 'HTTP/2' && scheme === 'https'));
  });
});
