/**
 * Keys of session tickets (RFC 5077, RFC 8446 section 4.6.1). From a few secrets, which instances and threads may share, each
 * (name, certificate) has keys of its own derived: so a ticket opens only under the name and the certificate that it was given for (the
 * class of CVE-2025-23419), also at another instance, and a context that was evicted and made again still resumes its sessions.
 * The newest secret encrypts, all of them decrypt.
 */
import { hkdfSync, randomFillSync } from 'node:crypto';
import type { SecureContext } from 'node:tls';

/** At least 32 octets that nobody can guess. Whoever has them can read recorded TLS 1.2 sessions: never logged, never written. */
export type TicketSecret = Uint8Array;

export interface TicketKeys {
  /** Newest first; at least one. Tickets of secrets that are left out resume no more. */
  replace(secrets: readonly TicketSecret[]): void;
  /** Makes a context encrypt and decrypt its tickets with the keys of this identity, whatever `replace` brings later. */
  attach(context: SecureContext, identity: string): void;
}

/** What OpenSSL wants of a key: its name in the ticket, HMAC-SHA256 and AES-128-CBC. */
interface DerivedKey {
  readonly name: Buffer;
  readonly hmac: Buffer;
  readonly aes: Buffer;
}

/** Answers of a ticket key callback (SSL_CTX_set_tlsext_ticket_key_cb). */
const NOT_OURS = 0;
const ENCRYPT = 1;
/** Opens, and a new ticket follows: TLS 1.3 tickets are for one use each (RFC 8446 appendix C.4), and others wander to the newest secret. */
const OPENS_RENEW = 2;

const PART = 16;
const HMAC_PART = 32;

/** Node's handle behind a SecureContext; its ticket key callback is not in the documentation, but in every release since 0.11. */
interface NativeContext {
  onticketkeycallback?: (name: Buffer, iv: Buffer, encrypts: boolean) => readonly unknown[];
  enableTicketKeyCallback?: () => void;
}

/** `secrets` as for `replace`. */
export function createTicketKeys(secrets: readonly TicketSecret[]): TicketKeys {
  let current = secrets;
  let version = 0;

  return {
    replace(next) {
      current = next;
      version += 1;
    },
    attach(context, identity) {
      let derived: readonly DerivedKey[] = [];
      let derivedVersion = -1;
      const keys = (): readonly DerivedKey[] => {
        if (derivedVersion !== version) {
          derived = current.map((secret) => deriveKey(secret, identity));
          derivedVersion = version;
        }
        return derived;
      };
      const native = context.context as NativeContext;
      native.onticketkeycallback = (name, _iv, encrypts) => {
        const [newest] = keys();
        // Keys are wanted with every answer, also where they will not be used.
        if (newest === undefined) return [NOT_OURS, NO_KEY, NO_KEY];
        if (encrypts) return [ENCRYPT, newest.hmac, newest.aes, newest.name, freshIv()];
        const fitting = derived.find((key) => key.name.equals(name));
        return fitting === undefined
          ? [NOT_OURS, newest.hmac, newest.aes]
          : [OPENS_RENEW, fitting.hmac, fitting.aes];
      };
      native.enableTicketKeyCallback?.();
    },
  };
}

const NO_KEY = Buffer.alloc(PART);

/** Random octets in stock: asking for 16 at a time costs more than all the rest of a ticket. Each is used once. */
const stock = Buffer.alloc(256 * PART);
let used = stock.length;

function freshIv(): Buffer {
  if (used === stock.length) {
    randomFillSync(stock);
    used = 0;
  }
  used += PART;
  return stock.subarray(used - PART, used);
}

/** Independent of each other and of every other identity's (RFC 5869). */
function deriveKey(secret: TicketSecret, identity: string): DerivedKey {
  const info = `headgear tickets\0${identity}`;
  const bytes = Buffer.from(hkdfSync('sha256', secret, '', info, 2 * PART + HMAC_PART));
  return {
    name: bytes.subarray(0, PART),
    hmac: bytes.subarray(PART, PART + HMAC_PART),
    aes: bytes.subarray(PART + HMAC_PART),
  };
}
