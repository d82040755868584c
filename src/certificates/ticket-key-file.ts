/**
 * The file of ticket secrets that instances share (`tls.tickets.keysFile`). Each line is the base64 of 48 or 80 random octets, the
 * form of HAProxy's `tls-ticket-keys`; blank lines and lines that begin with `#` are left out. The first key encrypts, all decrypt.
 * A file of exactly 48 or 80 octets that are no text is one key, the form of nginx's `ssl_session_ticket_key`.
 */
import type { TicketSecret } from './ticket-keys.ts';

export type TicketSecretsRead =
  | { readonly ok: true; readonly secrets: readonly TicketSecret[] }
  | { readonly ok: false; readonly code: 'CERTIFICATES_TICKET_KEYS'; readonly reason: string };

const SIZES: ReadonlySet<number> = new Set([48, 80]);
const MAX_KEYS = 16;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Reads the contents of the file. A refusal names the line at fault, never what it says. */
export function readTicketSecrets(content: Buffer): TicketSecretsRead {
  // Text in base64 has no octet above 126; of 48 random ones more than half a dozen are, always for all purposes.
  if (SIZES.has(content.length) && content.some((octet) => octet > 126)) {
    return { ok: true, secrets: [content] };
  }
  const secrets: Buffer[] = [];
  for (const [index, raw] of content.toString('latin1').split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const secret = BASE64.test(line) ? Buffer.from(line, 'base64') : Buffer.alloc(0);
    if (!SIZES.has(secret.length)) {
      return refuse(
        `line ${index + 1} is not the base64 of 48 or 80 octets (openssl rand -base64 48 makes one)`,
      );
    }
    if (secrets.some((other) => other.equals(secret))) return refuse(`line ${index + 1} repeats a key`);
    // A file of zeros was made by mistake, and anybody could read every ticket.
    if (new Set(secret).size < 16) return refuse(`line ${index + 1} is not random`);
    secrets.push(secret);
  }
  if (secrets.length === 0) return refuse('there is no key in it');
  if (secrets.length > MAX_KEYS) return refuse(`there are more than ${MAX_KEYS} keys in it`);
  return { ok: true, secrets };
}

function refuse(reason: string): TicketSecretsRead {
  return { ok: false, code: 'CERTIFICATES_TICKET_KEYS', reason };
}
