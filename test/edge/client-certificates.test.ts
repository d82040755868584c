/** Hosts that ask their clients for certificates, and clients that would rather not. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { afterEach, describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { connectRaw, headersOf, type RawResponse, request } from '../support/client.ts';
import { clientCertificate, clientFile, clientRules } from '../support/client-certificates.ts';
import { type DataPlane, endpointAt, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Echo, type Gear, startGear } from '../support/gear.ts';
import { connectHttp2 } from '../support/http2-client.ts';

const SECURE = 'secure-ns.apps.example.test';
const POLITE = 'polite-ns.apps.example.test';
const OPEN = 'open-ns.apps.example.test';
const HOSTS = [SECURE, POLITE, OPEN];
const RULES = [
  { names: [SECURE], mode: 'require' },
  { names: [POLITE], mode: 'request' },
];
const XFCC = 'x-forwarded-client-cert';
const SSL = 'x-forwarded-ssl-client-cert';

for (const engine of ['native', 'http-proxy'] as const) {
  describe(`client certificates (${engine})`, () => {
    const toStop: { stop(): Promise<void> }[] = [];
    afterEach(async () => {
      for (const part of toStop.splice(0)) await part.stop();
    });
    const start = async (
      rules: readonly object[] = RULES,
      overrides: Parameters<typeof startDataPlane>[0] = {},
    ): Promise<{ edge: DataPlane; gear: Gear }> => {
      const gear = await startGear();
      const edge = await startDataPlane({ ...overrides, http: { engine, ...overrides.http } }, [
        '*.apps.example.test',
      ]);
      toStop.push(edge, gear);
      for (const host of HOSTS) await edge.route([endpointAt(gear.port)], { host, app: `ns/${host}` });
      edge.plane.setClientRules(clientRules(...rules));
      return { edge, gear };
    };
    const get = (
      edge: DataPlane,
      host: string,
      tls: object = {},
      headers: readonly (readonly [string, string])[] = [],
    ): Promise<RawResponse> =>
      request({ port: edge.httpsPort, host, headers, tls: { servername: host, ...tls } });
    const failureOf = (response: RawResponse): string =>
      headersOf(response.rawHeaders, 'headgear-failure').join();
    const seenBy = (response: RawResponse): readonly string[] =>
      (JSON.parse(String(response.body)) as Echo).rawHeaders;

    it('a good one is told to the gear, in both fields', async () => {
      const { edge } = await start();
      const alice = clientCertificate('alice');
      const { fingerprint256 } = new X509Certificate(alice.cert);
      for (const host of [SECURE, POLITE]) {
        const headers = seenBy(await get(edge, host, alice));
        assert.deepEqual(headersOf(headers, XFCC), [
          `Hash=${fingerprint256.replaceAll(':', '').toLowerCase()};` +
            'Subject="CN=Alice,OU=B\\C3\\BCcher,O=Ministry of \\"Silly\\" Walks\\; Inc.\\, Ltd,C=DE";' +
            'URI="spiffe://example.org/alice;a=b";DNS=alice.example.org;DNS=alice.internal',
        ]);
        assert.deepEqual(headersOf(headers, SSL), [alice.cert.trim().replaceAll('\n', ' ')]);
      }
      assert.equal(edge.metrics.value('client_certificates_total', { verdict: 'GOOD' }), 2);
    });

    it('what is told is the configuration’s choice', async () => {
      const { edge } = await start([
        { names: [SECURE], mode: 'require', forward: ['cert', 'hash'], sslClientCert: false },
        { names: [POLITE], mode: 'request', forward: [] },
      ]);
      const alice = clientCertificate('alice');
      const secure = seenBy(await get(edge, SECURE, alice));
      assert.match(
        headersOf(secure, XFCC).join(),
        /^Hash=[0-9a-f]{64};Cert="-----BEGIN%20CERTIFICATE-----%0A[A-Za-z0-9%]+-----END%20CERTIFICATE-----%0A"$/,
      );
      assert.equal(
        decodeURIComponent(/Cert="(.*)"/.exec(headersOf(secure, XFCC).join())?.[1] ?? ''),
        alice.cert,
      );
      assert.deepEqual(headersOf(secure, SSL), []);
      const polite = seenBy(await get(edge, POLITE, alice));
      assert.deepEqual([headersOf(polite, XFCC), headersOf(polite, SSL).length], [[], 1]);
    });

    it('none: a host that requests serves all the same and says nothing, one that asks for nothing is not told', async () => {
      const { edge } = await start();
      for (const [host, tls] of [
        [POLITE, {}],
        [OPEN, {}],
        [OPEN, clientCertificate('alice')],
      ] as const) {
        const headers = seenBy(await get(edge, host, tls));
        assert.deepEqual([...headersOf(headers, XFCC), ...headersOf(headers, SSL)], []);
      }
    });

    for (const [maxVersion, said] of [
      ['TLSv1.2', /handshake failure/i],
      ['TLSv1.3', /certificate required/i],
    ] as const) {
      it(`none: a host that requires ends the handshake with an alert (${maxVersion}), and it is counted and logged`, async () => {
        const { edge, gear } = await start();
        await assert.rejects(get(edge, SECURE, { maxVersion }), said);
        await eventually(
          () =>
            edge.metrics.value('tls_handshake_failures_total', { code: 'EDGE_TLS_NO_CLIENT_CERTIFICATE' }) ===
            1,
        );
        assert.equal(edge.metrics.value('client_certificates_total', { verdict: 'NO_CERTIFICATE' }), 1);
        const line = edge.log.lines.find(({ message }) => message === 'a client certificate was refused');
        assert.equal(line?.fields.serverName, SECURE);
        assert.equal(gear.requests.length, 0);
      });

      for (const [name, verdict] of [
        ['mallory', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
        ['server', 'INVALID_PURPOSE'],
        ['expired', 'CERT_HAS_EXPIRED'],
        ['carol', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      ] as const) {
        it(`${name}’s is refused, wherever one is asked for, and nothing reaches a gear (${maxVersion})`, async () => {
          const { edge, gear } = await start();
          for (const host of [SECURE, POLITE]) {
            const response = await get(edge, host, { ...clientCertificate(name), maxVersion });
            assert.equal(response.status, 403);
            assert.equal(failureOf(response), 'CLIENT_CERTIFICATE_REFUSED');
          }
          assert.equal(edge.metrics.value('client_certificates_total', { verdict }), 2);
          assert.equal(
            edge.log.lines.filter(({ message }) => message.includes('was refused')).length,
            1,
            'one a second',
          );
          assert.equal(gear.requests.length, 0);
        });
      }

      it(`a session resumes with its certificate, and under its own host and CA only (${maxVersion})`, async () => {
        const { edge } = await start();
        const bob = clientCertificate('bob');
        const visit = async (
          host: string,
          tls: object,
        ): Promise<{ reused: boolean; names: string; session?: Buffer }> => {
          const client = await connectRaw({
            port: edge.httpsPort,
            tls: { servername: host, maxVersion, ...tls },
          });
          const socket = client.socket as TLSSocket;
          const sessions: Buffer[] = [];
          socket.on('session', (bytes: Buffer) => sessions.push(bytes));
          await client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
          const answer = await client.readResponse();
          await eventually(() => sessions.length > 0 || socket.getSession() !== undefined);
          const session = sessions.at(-1) ?? socket.getSession();
          const reused = socket.isSessionReused();
          client.destroy();
          return {
            reused,
            names: answer.status === 200 ? headersOf(seenBy(answer), XFCC).join() : String(answer.status),
            ...(session === undefined ? {} : { session }),
          };
        };
        const first = await visit(SECURE, bob);
        assert.match(first.names, /Subject="CN=Bob"/);
        const again = await visit(SECURE, { ...bob, session: first.session });
        assert.deepEqual([again.reused, again.names], [true, first.names]);
        // Without the key: the session stands for it.
        const bare = await visit(SECURE, { session: again.session });
        assert.deepEqual([bare.reused, bare.names], [true, first.names]);
        for (const host of [POLITE, OPEN]) {
          const other = await visit(host, { session: first.session });
          assert.deepEqual([other.reused, other.names], [false, ''], host);
          const session = (await visit(host, {})).session;
          await assert.rejects(visit(SECURE, { session }), /alert/i);
        }
        edge.plane.setClientRules(
          clientRules({ names: [SECURE], mode: 'require', caFile: clientFile('other-ca.crt') }),
        );
        const after = await visit(SECURE, { ...bob, session: again.session });
        assert.deepEqual([after.reused, after.names], [false, '403']);
      });
    }

    it('a revoked one is refused, others of the same CA are not; a chain over an intermediate is followed', async () => {
      const crl = (name: string) => clientFile(`${name}.crl`);
      const { edge } = await start([{ names: [SECURE], mode: 'require', crlFile: crl('empty') }]);
      assert.equal((await get(edge, SECURE, clientCertificate('bob'))).status, 200);
      edge.plane.setClientRules(
        clientRules({ names: [SECURE], mode: 'require', crlFile: crl('bob-revoked') }),
      );
      assert.equal((await get(edge, SECURE, clientCertificate('bob'))).status, 403);
      assert.equal((await get(edge, SECURE, clientCertificate('alice'))).status, 200);
      assert.equal(edge.metrics.value('client_certificates_total', { verdict: 'CERT_REVOKED' }), 1);
      edge.plane.setClientRules(clientRules({ names: [SECURE], mode: 'require' }));
      assert.equal((await get(edge, SECURE, clientCertificate('carol', 'carol-chain'))).status, 200);
    });

    it('fields that only we may write never come from outside, in whatever spelling, with and without a certificate', async () => {
      const { edge } = await start();
      const spellings = [
        'X-Forwarded-Client-Cert',
        'x-forwarded-client-cert',
        'X_Forwarded_Client_Cert',
        'X-Forwarded.Client-Cert',
        'X|Forwarded|Client|Cert',
        'X-Forwarded-SSL-Client-Cert',
        'X_FORWARDED_SSL_CLIENT_CERT',
        "X'Forwarded`SSL^Client~Cert",
        'Client-Cert',
        'client_cert',
        'Client-Cert-Chain',
      ];
      const forged = spellings.map((name) => [name, 'Subject="CN=Root"'] as const);
      for (const [host, tls, expected] of [
        [OPEN, {}, 0],
        [POLITE, {}, 0],
        [SECURE, clientCertificate('bob'), 1],
      ] as const) {
        const headers = seenBy(await get(edge, host, tls, forged));
        assert.ok(!headers.some((text) => text.includes('CN=Root')), host);
        assert.equal(headersOf(headers, XFCC).length, expected);
      }
      const named = await get(edge, SECURE, clientCertificate('bob'), [
        ['Connection', `close, ${XFCC}, ${SSL}`],
      ]);
      assert.equal(headersOf(seenBy(named), XFCC).length, 1, 'nor can a client take them away');
    });

    it('a trusted proxy speaks for its clients, and its own certificate is not theirs', async () => {
      const { edge } = await start(RULES, { http: { trustedProxies: ['127.0.0.1'] } });
      const forwarded = [['X-Forwarded-Client-Cert', 'Subject="CN=Client"'] as const];
      const sent = seenBy(await get(edge, SECURE, clientCertificate('bob'), forwarded));
      assert.deepEqual(headersOf(sent, XFCC), ['Subject="CN=Client"']);
      const bare = seenBy(await get(edge, SECURE, clientCertificate('bob')));
      assert.deepEqual(headersOf(bare, XFCC), []);
    });

    it('a connection that was made for another name does not get in by its Host (domain.md 10, 44)', async () => {
      const { edge, gear } = await start();
      const bob = clientCertificate('bob');
      for (const [servername, host, tls] of [
        [OPEN, SECURE, {}],
        [OPEN, SECURE, bob],
        [POLITE, SECURE, bob],
        [SECURE, POLITE, bob],
        [SECURE, OPEN, bob],
        ['', SECURE, bob],
        ['unknown.apps.example.test', SECURE, bob],
        [OPEN, SECURE.toUpperCase(), bob],
        [OPEN, `${SECURE}.`, bob],
        [OPEN, `${SECURE}:443`, bob],
      ] as const) {
        const response = await request({ port: edge.httpsPort, host, tls: { servername, ...tls } });
        assert.equal(failureOf(response), 'MISDIRECTED', `${servername} -> ${host}`);
      }
      assert.equal(gear.requests.length, 0);
    });

    it('not even where hosts may otherwise share connections', async () => {
      const { edge } = await start(RULES, { tls: { misdirected: 'route' } });
      const response = await request({ port: edge.httpsPort, host: SECURE, tls: { servername: OPEN } });
      assert.equal(failureOf(response), 'MISDIRECTED');
    });

    it('plain HTTP does not get in to a host that requires one, and tells no gear of any', async () => {
      const { edge, gear } = await start();
      const response = await request({
        port: edge.port,
        host: SECURE,
        headers: { [XFCC]: 'Subject="CN=Root"' },
      });
      assert.equal(response.status, 403);
      assert.equal(failureOf(response), 'CLIENT_CERTIFICATE_NEEDED');
      assert.equal(gear.requests.length, 0);
      const polite = await request({
        port: edge.port,
        host: POLITE,
        headers: { [XFCC]: 'Subject="CN=Root"' },
      });
      assert.deepEqual(headersOf(seenBy(polite), XFCC), []);
    });

    it('an endpoint that speaks tls does not pass connections of such a host through', async () => {
      const { edge, gear } = await start();
      await edge.route([], {
        host: SECURE,
        app: `ns/${SECURE}`,
        passThrough: [endpointAt(gear.port, { id: 'through' })],
      });
      const response = await get(edge, SECURE, clientCertificate('bob'));
      assert.equal(failureOf(response), 'TLS_ONLY');
      assert.equal(gear.acceptedConnections, 0);
    });

    it('wildcards ask for every name of one label', async () => {
      const { edge } = await start([
        { names: ['*.apps.example.test'], mode: 'require' },
        { names: [OPEN], mode: 'request' },
      ]);
      await assert.rejects(get(edge, SECURE), /certificate required/i);
      await assert.rejects(get(edge, 'unknown.apps.example.test'), /certificate required/i);
      assert.equal((await get(edge, OPEN)).status, 200);
      assert.equal((await get(edge, SECURE, clientCertificate('bob'))).status, 200);
    });

    it('connections made under CAs that are replaced end after their request; others notice nothing', async () => {
      const { edge } = await start();
      const [secure, open] = await Promise.all([
        connectRaw({ port: edge.httpsPort, tls: { servername: SECURE, ...clientCertificate('bob') } }),
        connectRaw({ port: edge.httpsPort, tls: { servername: OPEN } }),
      ]);
      const ask = async (client: typeof open, host: string): Promise<number> => {
        await client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
        return (await client.readResponse()).status;
      };
      assert.deepEqual([await ask(secure, SECURE), await ask(open, OPEN)], [200, 200]);
      edge.plane.setClientRules(clientRules(...RULES));
      assert.equal(await ask(secure, SECURE), 200, 'the same CAs, read again');
      edge.plane.setClientRules(clientRules(RULES[1] ?? {}));
      await eventually(() => secure.ended);
      assert.equal(await ask(open, OPEN), 200);
      secure.destroy();
      open.destroy();
    });

    if (engine === 'native') {
      it('hold over HTTP/2 as well', async () => {
        const { edge, gear } = await start();
        const bob = await connectHttp2(edge.httpsPort, { servername: SECURE, ...clientCertificate('bob') });
        const good = await bob.request({ ':authority': SECURE, [XFCC]: 'Subject="CN=Root"' });
        assert.match(
          headersOf((JSON.parse(String(good.body)) as Echo).rawHeaders, XFCC).join(),
          /^Hash=[0-9a-f]+;Subject="CN=Bob"$/,
        );
        assert.equal((await bob.request({ ':authority': OPEN })).status, 421);
        const open = await connectHttp2(edge.httpsPort, { servername: OPEN });
        assert.equal((await open.request({ ':authority': SECURE })).status, 421);
        const mallory = await connectHttp2(edge.httpsPort, {
          servername: SECURE,
          ...clientCertificate('mallory'),
        });
        assert.equal((await mallory.request({ ':authority': SECURE })).status, 403);
        assert.equal(gear.requests.length, 1);
        edge.plane.setClientRules(clientRules(RULES[1] ?? {}));
        await eventually(() => bob.closed);
        assert.equal((await open.request({ ':authority': OPEN })).status, 200);
        for (const client of [open, mallory]) client.destroy();
      });
    }
  });
}

it('the id of a demand is that of its mode and its files’ contents', () => {
  const idOf = (rule: object): string =>
    clientRules({ names: ['a'], mode: 'require', ...rule })[0]?.demand.id ?? '';
  assert.equal(idOf({}), idOf({ names: ['b'], forward: [] }));
  assert.equal(new Set([idOf({}), idOf({ mode: 'request' })]).size, 2);
});
