import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  type LoadedClientRule,
  loadClientRules,
  watchClientRules,
} from '../../src/certificates/client-demands.ts';
import { clientCertificatesConfig, clientFile } from '../support/client-certificates.ts';
import { memoryLog, memoryMetrics } from '../support/memory-telemetry.ts';

describe('CAs of client certificates', () => {
  const folder = mkdtempSync(join(tmpdir(), 'headgear-client-ca-'));
  after(() => rmSync(folder, { recursive: true }));
  const written = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const problemOf = (rule: object): string => {
    const { rules, problems } = loadClientRules(
      clientCertificatesConfig([{ names: ['a.example'], mode: 'require', ...rule }]),
    );
    assert.equal(rules.length, 0);
    return problems.map(({ path, code, reason }) => `${path} ${code} ${reason}`).join();
  };

  it('what is no bundle of CAs is refused whole, with its place and what is wrong', () => {
    assert.match(
      problemOf({ caFile: join(folder, 'none') }),
      /^clientCertificates\.rules\[0\]\.caFile CERTIFICATES_FILE .*ENOENT/,
    );
    assert.match(problemOf({ caFile: folder }), /CERTIFICATES_FILE .* is not a file/);
    assert.match(
      problemOf({ caFile: written('empty', '') }),
      /CERTIFICATES_CLIENT_CA there is no certificate in/,
    );
    assert.match(
      problemOf({ caFile: clientFile('alice.key') }),
      /CERTIFICATES_CLIENT_CA there is no certificate in/,
    );
    assert.match(
      problemOf({ caFile: clientFile('alice.crt') }),
      /CERTIFICATES_CLIENT_CA certificate 1 of .* is no CA certificate/,
    );
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    assert.match(
      problemOf({ caFile: written('broken', broken) }),
      /certificate 1 of .* is not a certificate/,
    );
    assert.match(
      problemOf({ caFile: written('cut', broken.slice(0, 40)) }),
      /is not valid PEM \(PEM_MALFORMED\)/,
    );
    assert.match(
      problemOf({ crlFile: clientFile('ca.crt') }),
      /crlFile CERTIFICATES_CLIENT_CRL there is no revocation list in/,
    );
    const list = broken.replaceAll('CERTIFICATE', 'X509 CRL');
    assert.match(
      problemOf({ crlFile: written('crl', list) }),
      /crlFile CERTIFICATES_CLIENT_CRL OpenSSL does not take/,
    );
  });

  it('are read again when their files change; what is no good changes nothing, loudly', () => {
    const file = join(folder, 'ca.pem');
    copyFileSync(clientFile('ca.crt'), file);
    const published: (readonly LoadedClientRule[])[] = [];
    const log = memoryLog();
    const metrics = memoryMetrics();
    const watch = watchClientRules({
      config: clientCertificatesConfig([{ names: ['a.example'], mode: 'require', caFile: file }]),
      log,
      metrics,
      publish: (rules) => void published.push(rules),
    });
    watch.check();
    assert.equal(published.length, 0);
    copyFileSync(clientFile('other-ca.crt'), file);
    watch.check();
    const [first] = published;
    assert.notEqual(first?.[0]?.demand.id, undefined);
    writeFileSync(file, 'nothing');
    watch.check();
    rmSync(file);
    watch.check();
    assert.equal(published.length, 1);
    assert.equal(metrics.value('tls_client_ca_reload_failures_total'), 2);
    assert.equal(log.lines.filter(({ level }) => level === 'error').length, 2);
    copyFileSync(clientFile('other-ca.crt'), file);
    watch.check();
    assert.equal(
      published[1]?.[0]?.demand.id,
      first?.[0]?.demand.id,
      'the same contents are the same demand',
    );
    watch.stop();
  });
});
