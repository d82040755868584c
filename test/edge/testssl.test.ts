/** testssl.sh against an edge as it is by default: protocols, ciphers, certificate, headers, and every attack it knows. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { testCa } from '../support/certificates.ts';
import { endpointAt, HOST, startDataPlane } from '../support/data-plane.ts';
import { startGear } from '../support/gear.ts';
import { requirePart, skipWithout } from '../support/parts.ts';

interface Finding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

/** All but the client simulations, which try again what the protocols and ciphers have shown. */
const SECTIONS = ['-p', '-s', '-f', '-P', '-S', '-h', '-U'];
const TIMEOUT_MS = 280_000;
const ABOVE_LOW: ReadonlySet<string> = new Set(['MEDIUM', 'HIGH', 'CRITICAL', 'FATAL']);
/** Of the certificate, and not of who shows it: the tests' own CA has nowhere to ask after it. */
const OF_THE_CERTIFICATE: ReadonlySet<string> = new Set(['cert_revocation']);

describe('testssl.sh', { skip: skipWithout('testssl') }, () => {
  it('finds nothing above LOW', { timeout: TIMEOUT_MS + 20_000 }, async (t) => {
    const gear = await startGear({
      // What a page says of itself is the application's to say; here is one that does.
      handler: (_request, response) =>
        void response
          .writeHead(200, { 'X-Frame-Options': 'DENY', 'X-Content-Type-Options': 'nosniff' })
          .end(),
    });
    const edge = await startDataPlane({}, ['*.apps.example.test']);
    await edge.route([endpointAt(gear.port)]);
    const folder = mkdtempSync(join(tmpdir(), 'headgear-testssl-'));
    const [caFile, findingsFile] = [join(folder, 'ca.pem'), join(folder, 'findings.json')];
    writeFileSync(caFile, testCa().certificatePem);
    try {
      const child = spawn(
        requirePart('testssl'),
        [
          ...['--warnings', 'batch', '--nodns', 'none', '--color', '0', '--ip', '127.0.0.1'],
          ...['--add-ca', caFile, '--jsonfile', findingsFile, ...SECTIONS],
          `https://${HOST}:${edge.httpsPort}`,
        ],
        { stdio: 'ignore', cwd: folder, timeout: TIMEOUT_MS },
      );
      await once(child, 'exit');
      const findings = JSON.parse(readFileSync(findingsFile, 'utf8')) as readonly Finding[];
      const bySeverity = (severities: ReadonlySet<string>): readonly string[] =>
        findings
          .filter(({ id, severity }) => severities.has(severity) && !OF_THE_CERTIFICATE.has(id))
          .map(({ id, severity, finding }) => `${severity} ${id}: ${finding}`);
      t.diagnostic(bySeverity(new Set(['LOW', 'WARN'])).join('; '));
      // It was there to the end, and talked to the application.
      for (const id of ['TLS1_2', 'TLS1_3', 'ALPN', 'cert_trust', 'heartbleed', 'RC4', 'HTTP_status_code']) {
        assert.ok(
          findings.some((finding) => finding.id.startsWith(id)),
          id,
        );
      }
      assert.match(findings.find(({ id }) => id === 'HTTP_status_code')?.finding ?? '', /^200 /);
      assert.deepEqual(bySeverity(ABOVE_LOW), []);
    } finally {
      rmSync(folder, { recursive: true, force: true });
      await edge.stop();
      await gear.stop();
    }
  });
});
