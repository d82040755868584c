/** Clients with certificates, and the rules that ask for them; from test/fixtures/client-certificates (see make.sh there). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type LoadedClientRule, loadClientRules } from '../../src/certificates/client-demands.ts';
import { configSchema } from '../../src/config/schema.ts';

const fixtures = new URL('../../../test/fixtures/client-certificates/', import.meta.url);

/** Path of a fixture file. */
export function clientFile(name: string): string {
  return fileURLToPath(new URL(name, fixtures));
}

/** Certificate and key of a client, for TLS options. */
export function clientCertificate(
  name: string,
  chain = name,
): { readonly cert: string; readonly key: string } {
  return {
    cert: readFileSync(clientFile(`${chain}.crt`), 'utf8'),
    key: readFileSync(clientFile(`${name}.key`), 'utf8'),
  };
}

/** The `clientCertificates` group of a configuration with these rules; `ca.crt` unless they say otherwise. */
export function clientCertificatesConfig(rules: readonly object[]) {
  return configSchema.parse({
    cloudDomain: 'apps.example.test',
    listeners: {},
    clientCertificates: { rules: rules.map((rule) => ({ caFile: clientFile('ca.crt'), ...rule })) },
  }).clientCertificates;
}

/** The rules as they are handed to the data plane. */
export function clientRules(...rules: readonly object[]): readonly LoadedClientRule[] {
  const loaded = loadClientRules(clientCertificatesConfig(rules));
  assert.deepEqual(loaded.problems, []);
  return loaded.rules;
}
