import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { readProxyHeader } from '../../src/edge/proxy-header.ts';
import { proxyHeader } from '../../src/edge/write-proxy-header.ts';
import { publishedCertificate, testCa } from '../support/certificates.ts';
import { type Child, startChild } from '../support/child.ts';
import { connectRaw } from '../support/client.ts';
import { curl, servedFingerprint } from '../support/curl.ts';
import { type DataPlane, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { requirePart, skipWithout } from '../support/parts.ts';
import { freePort } from '../support/ports.ts';

const port = fc.integer({ min: 0, max: 65_535 });
const party = fc.record({ address: fc.oneof(fc.ipV4(), fc.ipV6()), port });

describe('the PROXY header that we write', () => {
  it('names the client as the specification has it', () => {
    const source = { address: '192.0.2.7', port: 4711 };
    const target = { address: '198.51.100.1', port: 443 };
    assert.equal(String(proxyHeader('v1', source, target)), 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n');
    assert.equal(
      proxyHeader('v2', source, target).toString('hex'),
      '0d0a0d0a000d0a515549540a2111000cc0000207c6336401126701bb',
    );
    const six = { address: '2001:db8::1', port: 1 };
    assert.equal(
      String(proxyHeader('v1', six, { address: '::1', port: 2 })),
      'PROXY TCP6 2001:db8:0:0:0:0:0:1 0:0:0:0:0:0:0:1 1 2\r\n',
    );
    assert.equal(
      String(proxyHeader('v1', source, { address: '::1', port: 2 })),
      'PROXY TCP6 0:0:0:0:0:ffff:c000:207 0:0:0:0:0:0:0:1 4711 2\r\n',
    );
    assert.equal(String(proxyHeader('v1', { address: '', port: 0 }, target)), 'PROXY UNKNOWN\r\n');
  });

  it('is what our own reader reads, whole, of either version, for any two addresses', () => {
    fc.assert(
      fc.property(party, party, fc.constantFrom('v1' as const, 'v2' as const), (source, target, version) => {
        const bytes = proxyHeader(version, source, target);
        const read = readProxyHeader(Buffer.concat([bytes, Buffer.from([22, 3, 1])]));
        assert.ok(read.kind === 'header' && read.source !== null, String(bytes));
        assert.equal(read.length, bytes.length);
        assert.equal(read.source.port, source.port);
      }),
    );
  });
});

describe('pass-through to a real HAProxy that wants a PROXY header', {
  skip: skipWithout('haproxy', 'curl', 'openssl'),
}, () => {
  const NAME = 'mail.example.org';
  const folder = mkdtempSync(join(tmpdir(), 'headgear-pass-through-'));
  let haproxy: Child;
  let edge: DataPlane;
  before(async () => {
    const gearPort = await freePort();
    const { chainPem, keyPem } = publishedCertificate([NAME]);
    writeFileSync(join(folder, 'gear.pem'), chainPem + keyPem);
    writeFileSync(join(folder, 'ca.pem'), testCa().certificatePem);
    writeFileSync(
      join(folder, 'haproxy.cfg'),
      `defaults
  mode http
  timeout client 30s
  timeout connect 5s
  timeout server 30s
listen gear
  bind 127.0.0.1:${gearPort} ssl crt ${join(folder, 'gear.pem')} alpn h2,http/1.1 accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[ssl_fc_sni] %[ssl_fc_alpn]"
`,
    );
    haproxy = await startChild(requirePart('haproxy'), ['-db', '-f', join(folder, 'haproxy.cfg')]);
    edge = await startDataPlane(
      {
        passThrough: {
          rules: (['v1', 'v2'] as const).map((proxyProtocol) => ({
            names: [`${proxyProtocol}.${NAME}`, ...(proxyProtocol === 'v2' ? [NAME] : [])],
            to: [{ address: '127.0.0.1', port: gearPort }],
            proxyProtocol,
          })),
        },
      },
      ['*.apps.example.test'],
      ['127.0.0.9/32'],
    );
    await eventually(() =>
      connectRaw({ port: gearPort }).then(
        (client) => {
          client.destroy();
          return true;
        },
        () => false,
      ),
    );
  });
  after(async () => {
    await edge.stop();
    await haproxy.end('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  it('curl gets its certificate, verified, HTTP/2 as it speaks it, and its view of the client', async () => {
    const answer = await curl({
      host: NAME,
      port: edge.httpsPort,
      caFile: join(folder, 'ca.pem'),
      args: ['--http2'],
    });
    assert.match(answer.body, new RegExp(`^127\\.0\\.0\\.1:\\d+ ${NAME} h2$`));
    await eventually(() => edge.passed.length === 1);
    assert.equal(answer.body.split(' ')[0], `127.0.0.1:${edge.passed[0]?.clientPort}`);
  });

  it('openssl sees the same certificate that HAProxy has', async () => {
    const facts = publishedCertificate([NAME]).facts;
    const served = await servedFingerprint(edge.httpsPort, NAME);
    assert.equal(served.replaceAll(':', '').toLowerCase(), facts.fingerprint);
  });

  for (const version of ['v1', 'v2']) {
    it(`the client that a balancer in front of us named is passed on in ${version}`, async () => {
      for (const [preface, shown] of [
        ['PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n', '192.0.2.7:4711'],
        ['PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n', '2001:db8::7:4711'],
      ] as const) {
        const client = await connectRaw({
          port: edge.httpsPort,
          localAddress: '127.0.0.9',
          preface: Buffer.from(preface),
          tls: { servername: `${version}.${NAME}` },
        });
        await client.send(`GET / HTTP/1.1\r\nHost: ${NAME}\r\nConnection: close\r\n\r\n`);
        const { body } = await client.readResponse();
        assert.equal(String(body).split(' ')[0], shown);
        client.destroy();
      }
    });
  }
});
