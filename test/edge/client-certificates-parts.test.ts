/** Client certificates with real clients, and beside a real node frontend. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { publishedCertificate, testCa } from '../support/certificates.ts';
import { startChild } from '../support/child.ts';
import { headersOf, request } from '../support/client.ts';
import { clientCertificate, clientFile, clientRules } from '../support/client-certificates.ts';
import { curl } from '../support/curl.ts';
import { type DataPlane, endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { eventually } from '../support/eventually.ts';
import { type Echo, type Gear, startGear } from '../support/gear.ts';
import { requirePart, skipWithout } from '../support/parts.ts';
import { freePort } from '../support/ports.ts';

const SSL = 'x-forwarded-ssl-client-cert';

describe('client certificates, with real parts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'headgear-client-cert-'));
  const caFile = join(folder, 'ca.pem');
  let edge: DataPlane;
  let gear: Gear;
  before(async () => {
    writeFileSync(caFile, testCa().certificatePem);
    gear = await startGear();
    edge = await startDataPlane({}, ['*.apps.example.test']);
    await edge.route([endpointAt(gear.port)]);
    edge.plane.setClientRules(clientRules({ names: [HOST], mode: 'require' }));
  });
  after(async () => {
    await edge.stop();
    await gear.stop();
    rmSync(folder, { recursive: true });
  });

  for (const args of [['--http1.1'], ['--http2'], ['--http1.1', '--tls-max', '1.2']]) {
    it(`curl ${args.join(' ')} gets in with its certificate`, { skip: skipWithout('curl') }, async () => {
      const own = ['--cert', clientFile('bob.crt'), '--key', clientFile('bob.key')];
      const answer = await curl({ host: HOST, port: edge.httpsPort, caFile, args: [...args, ...own] });
      assert.equal(answer.status, 200);
      const { rawHeaders } = JSON.parse(answer.body) as Echo;
      assert.match(headersOf(rawHeaders, 'x-forwarded-client-cert').join(), /Subject="CN=Bob"/);
      await assert.rejects(
        curl({ host: HOST, port: edge.httpsPort, caFile, args }),
        /certificate required|handshake failure/,
      );
    });
  }

  it('openssl is told which authorities are accepted', { skip: skipWithout('openssl') }, async () => {
    const script = 'exec "$1" s_client -connect "127.0.0.1:$2" -servername "$3" </dev/null';
    const session = await startChild('sh', [
      '-c',
      script,
      'sh',
      requirePart('openssl'),
      String(edge.httpsPort),
      HOST,
    ]);
    await session.ended;
    assert.match(
      session.stdout(),
      /Acceptable client certificate CA names\nO = Headgear tests, CN = Client CA\n/,
    );
  });

  it('the field of the node frontend is what Apache writes, byte for byte', {
    skip: skipWithout('apache2'),
  }, async () => {
    const port = await freePort();
    const { chainPem, keyPem } = publishedCertificate([HOST]);
    writeFileSync(join(folder, 'server.pem'), chainPem + keyPem);
    const modules = [
      'mpm_event',
      'authz_core',
      'headers',
      'proxy',
      'proxy_http',
      'ssl',
      'socache_shmcb',
      'unixd',
    ];
    writeFileSync(
      join(folder, 'httpd.conf'),
      `${modules.map((name) => `<IfModule !${name}_module>\nLoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so\n</IfModule>`).join('\n')}
ServerName localhost
ServerRoot ${folder}
PidFile ${join(folder, 'pid')}
ErrorLog ${join(folder, 'error_log')}
Listen 127.0.0.1:${port}
SSLEngine on
SSLCertificateFile ${join(folder, 'server.pem')}
SSLCACertificateFile ${clientFile('ca.crt')}
SSLVerifyClient require
SSLOptions +StdEnvVars +ExportCertData
RequestHeader set X-Forwarded-SSL-Client-Cert %{SSL_CLIENT_CERT}e
ProxyPass / http://127.0.0.1:${gear.port}/
`,
    );
    const apache = await startChild(
      requirePart('apache2'),
      ['-DFOREGROUND', '-f', join(folder, 'httpd.conf')],
      {
        group: true,
      },
    );
    try {
      const ask = (at: number) =>
        request({ port: at, host: HOST, tls: { servername: HOST, ...clientCertificate('alice') } });
      const direct = await eventually(
        () => {
          if (!apache.running) throw new Error(`Apache did not start:\n${apache.stderr()}`);
          return ask(port).catch(() => null);
        },
        'Apache',
        30_000,
      );
      const ours = await ask(edge.httpsPort);
      const [theirs, own] = [direct, ours].map(({ body }) =>
        headersOf((JSON.parse(String(body)) as Echo).rawHeaders, SSL),
      );
      assert.equal(theirs?.length, 1);
      assert.deepEqual(own, theirs);
    } finally {
      await apache.end('SIGKILL');
    }
  });
});
