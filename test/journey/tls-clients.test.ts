import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { testCa, testCertificate } from '../support/certificates.ts';
import { curl } from '../support/curl.ts';
import { eventually } from '../support/eventually.ts';
import { CLOUD_DOMAIN, headgearHome, PATIENCE_MS } from '../support/headgear-process.ts';
import { opensslCa, opensslVisit } from '../support/openssl-client.ts';
import { skipWithout } from '../support/parts.ts';
import { freePort } from '../support/ports.ts';

const NAME = `shop-demo.${CLOUD_DOMAIN}`;
const WILDCARD = `subjectAltName=DNS:*.${CLOUD_DOMAIN}`;

describe('real TLS clients', { skip: skipWithout('openssl', 'curl') }, () => {
  it('OCSP: a responder is asked in the background, and openssl and curl see the certificate vouched for', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'headgear-ocsp-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const ca = opensslCa(folder);
    const port = await freePort();
    // The client is to insist on a stapled response (RFC 7633), as a browser would.
    const files = ca.issue('wildcard', [
      WILDCARD,
      `authorityInfoAccess=OCSP;URI:http://127.0.0.1:${port}/`,
      'tlsfeature=status_request',
    ]);
    const responder = await ca.startResponder(port);
    t.after(responder.stop);
    const home = headgearHome({
      tls: { certificates: [files], ocsp: { allowedAddresses: ['127.0.0.1'] } },
    });
    t.after(home.remove);
    const headgear = await home.start();
    const good = 'headgear_tls_ocsp_responses_total{result="good"} 1';
    await eventually(async () => (await headgear.adminText('/metrics')).includes(good), good, PATIENCE_MS);

    for (const version of ['-tls1_2', '-tls1_3']) {
      const seen = await opensslVisit(headgear.httpsPort, NAME, version, '-status');
      assert.match(seen, /OCSP Response Status: successful/, version);
      assert.match(seen, /Cert Status: good/, version);
      assert.doesNotMatch(await opensslVisit(headgear.httpsPort, NAME, version), /OCSP Response Status/);
    }
    const answer = await curl({
      host: NAME,
      port: headgear.httpsPort,
      caFile: ca.caFile,
      args: ['--cert-status'],
    });
    assert.equal(answer.status, 404);
  });

  it('OCSP: without a responder that answers, or that may be asked, handshakes go on as ever', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'headgear-ocsp-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const ca = opensslCa(folder);
    const files = ca.issue('wildcard', [
      WILDCARD,
      `authorityInfoAccess=OCSP;URI:http://127.0.0.1:${await freePort()}/`,
    ]);
    const home = headgearHome({ tls: { certificates: [files] } });
    t.after(home.remove);
    const headgear = await home.start();
    const refused = 'headgear_tls_ocsp_responses_total{result="STAPLING_ADDRESS"} 1';
    await eventually(
      async () => (await headgear.adminText('/metrics')).includes(refused),
      refused,
      PATIENCE_MS,
    );
    const seen = await opensslVisit(headgear.httpsPort, NAME, '-status');
    assert.match(seen, /OCSP response: no response sent/);
    assert.match(seen, /HTTP\/1\.1 404/);
  });

  it('policy: TLS 1.1 and suites without forward secrecy are refused, each suite of the default list is spoken', async (t) => {
    const home = headgearHome();
    t.after(home.remove);
    const { httpsPort } = await home.start();
    const insecure = '@SECLEVEL=0';
    for (const [version, cipher] of [
      ['-tls1', `ALL:${insecure}`],
      ['-tls1_1', `ALL:${insecure}`],
      ['-tls1_2', 'AES128-GCM-SHA256'],
      ['-tls1_2', `ECDHE-RSA-AES128-SHA:${insecure}`],
      ['-tls1_2', 'DHE-RSA-AES128-GCM-SHA256'],
    ] as const) {
      const seen = await opensslVisit(httpsPort, NAME, version, '-cipher', cipher);
      assert.match(seen, /Cipher is \(NONE\)/, `${version} ${cipher}`);
      assert.match(
        seen,
        /alert (protocol version|handshake failure)|unsupported protocol/i,
        `${version} ${cipher}`,
      );
    }
    for (const cipher of ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305']) {
      const suite = `ECDHE-RSA-${cipher}`;
      assert.match(
        await opensslVisit(httpsPort, NAME, '-tls1_2', '-cipher', suite),
        new RegExp(`Cipher is ${suite}`),
      );
    }
    for (const suite of [
      'TLS_AES_128_GCM_SHA256',
      'TLS_AES_256_GCM_SHA384',
      'TLS_CHACHA20_POLY1305_SHA256',
    ]) {
      assert.match(
        await opensslVisit(httpsPort, NAME, '-tls1_3', '-ciphersuites', suite),
        new RegExp(`Cipher is ${suite}`),
      );
    }
    await assert.rejects(
      curl({ host: NAME, port: httpsPort, caFile: home.caFile, args: ['--tls-max', '1.1'] }),
      /curl failed/,
    );
  });

  it('sessions: two instances with one key file resume each other, also after a rotation; curl resumes too', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'headgear-sessions-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const { chainPem, privateKeyPem } = testCertificate([`*.${CLOUD_DOMAIN}`]);
    const file = (name: string, content: string): string => {
      writeFileSync(join(folder, name), content, { mode: 0o600 });
      return join(folder, name);
    };
    const key = () => randomBytes(48).toString('base64');
    const first = key();
    const keysFile = file('tickets', `${first}\n`);
    const tls = {
      certificates: [
        { certFile: file('wildcard.pem', chainPem), keyFile: file('wildcard.key', privateKeyPem) },
      ],
      tickets: { keysFile },
    };
    const homes = [headgearHome({ tls }), headgearHome({ tls })];
    for (const home of homes) t.after(home.remove);
    const [one, other] = await Promise.all(homes.map((home) => home.start()));
    assert.ok(one && other);
    for (const version of ['-tls1_2', '-tls1_3']) {
      const session = join(folder, `session${version}`);
      const made = await opensslVisit(one.httpsPort, NAME, version, '-sess_out', session);
      assert.match(made, /\nNew, TLSv1/);
      assert.match(
        await opensslVisit(other.httpsPort, NAME, version, '-sess_in', session),
        /\nReused, TLSv1/,
      );
    }
    file('tickets', `${key()}\n${first}\n`);
    await eventually(
      () => [one, other].every(({ child }) => child.stderr().split('session ticket keys read').length > 2),
      'the new keys',
      PATIENCE_MS,
    );
    for (const version of ['-tls1_2', '-tls1_3']) {
      const session = join(folder, `session${version}`);
      assert.match(
        await opensslVisit(other.httpsPort, NAME, version, '-sess_in', session),
        /\nReused, TLSv1/,
      );
    }
    const caFile = file('ca.pem', testCa().certificatePem);
    const url = `https://${NAME}:${one.httpsPort}/`;
    const args = ['--header', 'Connection: close', url];
    const { verbose } = await curl({ host: NAME, port: one.httpsPort, caFile, args });
    assert.match(verbose, /SSL re-using session ID/);
  });
});
