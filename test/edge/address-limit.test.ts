/** One client address, many connections. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { createAddressLimit } from '../../src/edge/address-limit.ts';
import type { ConnectionFacts } from '../../src/edge/connection-facts.ts';
import { connectRaw, type RawClient } from '../support/client.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { startGear } from '../support/gear.ts';
import { memoryMetrics } from '../support/memory-telemetry.ts';

const REFUSED = 'connections_over_address_limit_total';

describe('connections of one client address', () => {
  const toStop: { stop(): Promise<void> }[] = [];
  const clients: RawClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    for (const part of toStop.splice(0)) await part.stop();
  });
  const start = async (http: object, proxyFrom: readonly string[] = []): Promise<DataPlane> => {
    const gear = await startGear();
    const edge = await startDataPlane({ http }, ['*.apps.example.test'], proxyFrom);
    toStop.push(edge, gear);
    await edge.route([endpointAt(gear.port)]);
    return edge;
  };
  /** Whether a new connection is served. */
  const isServed = async (edge: DataPlane, options: object = {}): Promise<boolean> => {
    try {
      const client = await connectRaw({ port: edge.port, ...options });
      clients.push(client);
      await client.send(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      return (await client.readResponse()).status === 200;
    } catch {
      return false;
    }
  };
  const served = async (count: number, edge: DataPlane, options: object = {}): Promise<number> => {
    let sum = 0;
    for (let n = 0; n < count; n++) if (await isServed(edge, options)) sum++;
    return sum;
  };

  it('above the limit are closed at once and counted, over all listeners; other addresses notice nothing', async () => {
    const edge = await start({ maxConnectionsPerAddress: 3 });
    const tls = { servername: HOST };
    assert.equal(await served(2, edge), 2);
    assert.equal(await served(1, edge, { port: edge.httpsPort, tls }), 1);
    assert.equal(await served(3, edge), 0);
    assert.equal(await served(2, edge, { port: edge.httpsPort, tls }), 0);
    assert.equal(edge.metrics.value(REFUSED), 5);
    assert.equal(await served(4, edge, { localAddress: '127.0.0.2' }), 3);
  });

  it('may be new ones once old ones are closed', async () => {
    const edge = await start({ maxConnectionsPerAddress: 2 });
    assert.equal(await served(3, edge), 2);
    for (const client of clients.splice(0)) client.destroy();
    await eventually(() => edge.plane.status().connections === 0);
    assert.equal(await served(3, edge), 2);
  });

  it('are counted by the address that a PROXY header names, not by the balancer’s', async () => {
    const edge = await start({ maxConnectionsPerAddress: 2 }, ['127.0.0.9']);
    const from = (address: string) => ({
      localAddress: '127.0.0.9',
      preface: Buffer.from(`PROXY TCP4 ${address} 198.51.100.1 4711 80\r\n`),
    });
    assert.equal(await served(4, edge, from('192.0.2.1')), 2);
    assert.equal(await served(4, edge, from('192.0.2.2')), 2);
  });

  it('of a trusted proxy are not limited, and nobody’s are by default', async () => {
    assert.equal(
      await served(5, await start({ maxConnectionsPerAddress: 1, trustedProxies: ['127.0.0.1'] })),
      5,
    );
    assert.equal(await served(5, await start({})), 5);
  });

  it('of IPv6 are counted by the network that one customer has, and leave no trace', () => {
    const metrics = memoryMetrics();
    const withinLimit = createAddressLimit({ maxPerAddress: 2, trusted: () => false, metrics });
    const taken: Socket[] = [];
    const accept = withinLimit((socket) => void taken.push(socket));
    const connect = (peerAddress: string): number => {
      const socket = Object.assign(new EventEmitter(), { destroy: () => {} }) as unknown as Socket;
      const before = taken.length;
      accept(socket, { peerAddress } as ConnectionFacts);
      return taken.length - before;
    };
    assert.deepEqual(
      ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', '2001:db8:0:1::3', '2001:db8:0:2::1', '::1'].map(connect),
      [1, 1, 0, 1, 1],
    );
    for (const socket of taken.splice(0)) socket.emit('close');
    assert.deepEqual(['2001:db8:0:1::9', '2001:db8:0:1::a', '2001:db8:0:1::b'].map(connect), [1, 1, 0]);
    assert.equal(metrics.value(REFUSED), 2);
  });
});
