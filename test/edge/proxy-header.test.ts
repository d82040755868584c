import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { readProxyHeader } from '../../src/edge/proxy-header.ts';
import { connectRaw, headerOf, type RawClient } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Echo, type Gear, startGear } from '../support/gear.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const V2_IPV4 = Buffer.from(`${SIGNATURE}2111000cc0000207c63364011f900050`, 'hex');
const V2_IPV6 = Buffer.from(
  `${SIGNATURE}21210024${'20010db8000000000000000000000001'}${'20010db8000000000000000000000002'}1f900050`,
  'hex',
);
const V2_LOCAL = Buffer.from(`${SIGNATURE}20000000`, 'hex');
const sourceOf = (bytes: Buffer | string): unknown => {
  const header = readProxyHeader(Buffer.from(bytes as string, 'latin1'));
  return header.kind === 'header' ? header.source : header.kind;
};

describe('a PROXY header', () => {
  it('of version 1 names the client, over IPv4, IPv6 and unknown', () => {
    assert.deepEqual(sourceOf('PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\nGET /'), {
      address: '192.0.2.7',
      port: 4711,
    });
    assert.deepEqual(sourceOf('PROXY TCP6 2001:DB8::1 ::1 1 65535\r\n'), { address: '2001:db8::1', port: 1 });
    assert.equal(sourceOf('PROXY UNKNOWN whatever stands here\r\n'), null);
  });

  it('of version 2 names the client, over IPv4, IPv6 and from the balancer itself', () => {
    assert.deepEqual(sourceOf(V2_IPV4), { address: '192.0.2.7', port: 8080 });
    assert.deepEqual(sourceOf(V2_IPV6), { address: '2001:db8::1', port: 8080 });
    assert.equal(sourceOf(V2_LOCAL), null);
  });

  for (const text of [
    'GET / HTTP/1.1\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n',
    'PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n',
    'PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n',
    `PROXY UNKNOWN ${'x'.repeat(100)}\r\n`,
    Buffer.from(`${SIGNATURE}2f110000`, 'hex').toString('latin1'),
    Buffer.from(`${SIGNATURE}21110004c0000207`, 'hex').toString('latin1'),
    Buffer.from(`${SIGNATURE}2111ffff`, 'hex').toString('latin1'),
  ]) {
    it(`that reads ${JSON.stringify(text.slice(0, 50))} is refused`, () =>
      assert.equal(sourceOf(text), 'invalid'));
  }

  it('is not decided before it is whole, and never throws', () => {
    for (const whole of [V2_IPV4, V2_IPV6, Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\n')]) {
      for (let length = 0; length < whole.length; length++) {
        assert.equal(readProxyHeader(whole.subarray(0, length)).kind, 'more');
      }
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readProxyHeader(Buffer.from(bytes))),
    );
  });
});

describe('a listener behind a balancer', () => {
  let edge: DataPlane;
  let gear: Gear;
  before(async () => {
    gear = await startGear();
    edge = await startDataPlane({}, ['*.apps.example.test'], ['127.0.0.0/8']);
    await edge.route([endpointAt(gear.port)]);
  });
  after(async () => {
    await edge.stop();
    await gear.stop();
  });
  const clientIp = async (client: RawClient): Promise<string | undefined> => {
    const response = await client.readResponse();
    client.destroy();
    return headerOf((JSON.parse(response.body.toString()) as Echo).rawHeaders, 'x-client-ip');
  };
  const REQUEST = `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;

  it('takes the client from the header, in one piece with the request or byte by byte', async () => {
    const client = await connectRaw({ port: edge.port });
    await client.send(Buffer.concat([V2_IPV4, Buffer.from(REQUEST)]));
    assert.equal(await clientIp(client), '192.0.2.7');
    const dripping = await connectRaw({ port: edge.port });
    for (const byte of V2_IPV6) await dripping.send(Buffer.from([byte]));
    await dripping.send(REQUEST);
    assert.equal(await clientIp(dripping), '2001:db8::1');
  });

  it('cuts off a peer that sends none, and answers nothing', async () => {
    const client = await connectRaw({ port: edge.port });
    await client.send(REQUEST);
    await eventually(() => client.ended);
    assert.equal(client.pending().length, 0);
    client.destroy();
  });

  it('reads it before TLS on an HTTPS listener', async () => {
    const client = await connectRaw({ port: edge.httpsPort, preface: V2_IPV4, tls: { servername: HOST } });
    await client.send(REQUEST);
    assert.equal(await clientIp(client), '192.0.2.7');
  });
});
