/** `headgear certs`: every certificate of a running Headgear. */
import type { CertificateView } from '../control/certificate-view.ts';
import { adminOptions, adminUrl, askAdmin } from './admin-client.ts';
import { type Command, EXIT, type Io, readArguments } from './command.ts';
import { asciiJson, plain } from './event-line.ts';

export const certs: Command = {
  name: 'certs',
  help: `Usage: headgear certs [--alerts] [--name NAME] [--json] [--admin URL]

One line a certificate: name, owner (the application, or - for the platform's), key, days left and end, where it came from, its own
names, SHA-256 fingerprint, and alerts: CERT_EXPIRED, CERT_EXPIRES_SOON (certificates.expiryAlertDays), CERT_NOT_YET_VALID,
CERT_NAME_MISMATCH, CERT_REFUSED with the reason. Keys are never shown.

  --alerts      only those that need a look; the exit code is 1 if there are any
  --name NAME   only this alias
  --json        what admin answers, as it is
  --admin URL   the admin listener (default ${adminOptions.admin.default})`,
  async run(args, io) {
    const { values } = readArguments(
      args,
      {
        ...adminOptions,
        alerts: { type: 'boolean', default: false },
        name: { type: 'string' },
        json: { type: 'boolean', default: false },
      } as const,
      false,
    );
    const query = new URLSearchParams({
      ...(values.alerts ? { alerts: '1' } : {}),
      ...(values.name === undefined ? {} : { name: values.name }),
    });
    const path = `/certificates${query.size > 0 ? `?${query}` : ''}`;
    const { status, text } = await askAdmin(adminUrl(values.admin), { method: 'GET', path });
    if (status !== 200) {
      io.err(`headgear certs: ${plain(text.trim())}`);
      return EXIT.failed;
    }
    const { certificates } = JSON.parse(text) as { readonly certificates: readonly CertificateView[] };
    if (values.json) io.out(asciiJson(text.trimEnd()));
    else show(certificates, values.alerts, io);
    return values.alerts && certificates.length > 0 ? EXIT.failed : EXIT.ok;
  },
};

function show(certificates: readonly CertificateView[], onlyAlerts: boolean, io: Io): void {
  for (const view of certificates) io.out(line(view));
  const alerts = certificates.filter((view) => view.alerts.length > 0).length;
  if (onlyAlerts) io.out(alerts === 0 ? 'nothing needs a look' : `${alerts} need a look`);
  else io.out(`${certificates.length} certificates, ${alerts} need a look`);
}

function line({ name, owner, origin, served, certificate, refusal, alerts }: CertificateView): string {
  const words = [plain(name === '' ? '(no name)' : name), plain(owner ?? '-')];
  if (certificate !== null) {
    const { names, keyType, keyBits, notAfter, daysLeft, fingerprint } = certificate;
    words.push(
      `${plain(keyType)}-${Number(keyBits)}`,
      `${Number(daysLeft)} days (${plain(notAfter).slice(0, 10)})`,
      plain(origin),
      names.map(plain).join(',') || '(no names)',
      plain(fingerprint),
      served ? 'served' : 'NOT SERVED',
    );
  }
  const reason = refusal === null ? '' : ` (${plain(refusal.code)}: ${plain(refusal.reason)})`;
  if (alerts.length > 0) words.push(`! ${alerts.map(plain).join(' ')}${reason}`);
  return words.join('  ');
}
