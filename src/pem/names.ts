/** Which DNS names a certificate stands for, and whether they cover an alias (RFC 6125 section 6.4, RFC 9525). */
import type { X509Certificate } from 'node:crypto';

/** As many are kept as facts; a certificate may hold more, and all of them count for `covers`. */
export const MAX_NAMES_KEPT = 256;

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** Lower-case DNS names of the subjectAltName, or the common names where there are none; what is no host name is left out. */
export function namesOf(certificate: X509Certificate): readonly string[] {
  const names = new Set<string>();
  // Node quotes entries that hold a comma or a quote; no host name does, so splitting cannot be led astray (CVE-2021-44532).
  for (const entry of (certificate.subjectAltName ?? '').split(', ')) {
    if (entry.startsWith('DNS:')) add(names, entry.slice(4));
  }
  if (names.size === 0) {
    for (const line of certificate.subject?.split('\n') ?? []) {
      if (line.startsWith('CN=')) add(names, line.slice(3));
    }
  }
  return [...names];
}

/** Whether one of `names` is `host` or a wildcard for it; a wildcard stands for exactly one label. */
export function covers(names: readonly string[], host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  const dot = name.indexOf('.');
  const wildcard = dot > 0 ? `*${name.slice(dot)}` : null;
  return names.some((candidate) => candidate === name || candidate === wildcard);
}

function add(names: Set<string>, raw: string): void {
  const name = raw.toLowerCase().replace(/\.$/, '');
  if (name.length > 253) return;
  const labels = (name.startsWith('*.') ? name.slice(2) : name).split('.');
  if (labels.every((label) => LABEL.test(label))) names.add(name);
}
