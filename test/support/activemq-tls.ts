/** Key stores as Java wants them, out of PEM. */
import { execFileSync } from 'node:child_process';
import { realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { testCa } from './certificates.ts';
import { requirePart } from './parts.ts';

export interface BusTls {
  readonly chainPem: string;
  readonly privateKeyPem: string;
  /** CA of the clients. */
  readonly caPem: string;
}

const PASSWORD = 'changeit';

/** Writes `broker.p12` and `trust.p12`. keytool comes with every Java. */
export function writeKeyStores(folder: string, tls: BusTls, java: string): void {
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const [chain, key, ca] = [
    file('broker.pem', tls.chainPem),
    file('broker.key', tls.privateKeyPem),
    file('ca.pem', tls.caPem),
  ];
  const run = (program: string, args: readonly string[]) => execFileSync(program, args, { stdio: 'pipe' });
  run(requirePart('openssl'), [
    ...['pkcs12', '-export', '-in', chain, '-inkey', key, '-name', 'broker'],
    ...['-out', join(folder, 'broker.p12'), '-passout', `pass:${PASSWORD}`],
  ]);
  run(join(dirname(realpathSync(java)), 'keytool'), [
    ...['-importcert', '-noprompt', '-alias', 'clients', '-file', ca, '-storetype', 'PKCS12'],
    ...['-keystore', join(folder, 'trust.p12'), '-storepass', PASSWORD],
  ]);
}

/** A certificate for TLS clients (Java refuses those of servers), under the test CA, in a folder; resolves paths of it and of its key. */
export function clientCertificate(folder: string): { readonly certFile: string; readonly keyFile: string } {
  const at = (name: string) => join(folder, name);
  const { certificatePem, privateKeyPem } = testCa();
  writeFileSync(at('issuer.pem'), certificatePem);
  writeFileSync(at('issuer.key'), privateKeyPem, { mode: 0o600 });
  writeFileSync(at('client.ext'), 'extendedKeyUsage=clientAuth\n');
  const openssl = (args: readonly string[]) => execFileSync(requirePart('openssl'), args, { stdio: 'pipe' });
  openssl([
    ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-subj', '/CN=edge.example.test', '-keyout', at('client.key'), '-out', at('client.csr')],
  ]);
  openssl([
    ...['x509', '-req', '-in', at('client.csr'), '-CA', at('issuer.pem'), '-CAkey', at('issuer.key')],
    ...['-CAcreateserial', '-days', '2', '-extfile', at('client.ext'), '-out', at('client.pem')],
  ]);
  return { certFile: at('client.pem'), keyFile: at('client.key') };
}
