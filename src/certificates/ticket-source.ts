/** Where ticket secrets come from: a file that is read again when it changes, or our own dice on a timer. */
import { randomBytes } from 'node:crypto';
import type { Config } from '../config/schema.ts';
import { type FileWatch, watchFiles } from '../config/watch-files.ts';
import type { Log, Metrics } from '../telemetry/types.ts';
import { readSmallFile } from './small-file.ts';
import { readTicketSecrets, type TicketSecretsRead } from './ticket-key-file.ts';
import type { TicketSecret } from './ticket-keys.ts';

export interface TicketSource {
  /** Reads the file, or makes a key, now; `watchFiles` and the timer do the same. */
  renew(): void;
  stop(): void;
}

const OWN_SECRET_BYTES = 48;

/** What the configured file says now; null where none is configured. Never throws. */
export function loadTicketSecrets({ keysFile }: Config['tls']['tickets']): TicketSecretsRead | null {
  if (keysFile === undefined) return null;
  const file = readSmallFile(keysFile);
  if (!file.ok) return { ok: false, code: 'CERTIFICATES_TICKET_KEYS', reason: file.reason };
  const read = readTicketSecrets(file.content);
  return read.ok ? read : { ...read, reason: `${keysFile}: ${read.reason}` };
}

/**
 * Hands over secrets at once and whenever they change, newest first. A file that cannot be read later changes nothing: the former keys
 * stay, loudly. Own keys are kept as long as a ticket under them may live.
 */
export function startTicketSource(options: {
  readonly config: Config['tls']['tickets'];
  readonly log: Log;
  readonly metrics: Metrics;
  readonly publish: (secrets: readonly TicketSecret[]) => void;
}): TicketSource {
  const { config, log, metrics, publish } = options;
  const failures = metrics.counter(
    'tls_ticket_key_failures_total',
    'Changes of the ticket key file that could not be used',
  );
  let own: readonly TicketSecret[] = [];

  function renew(): void {
    const read = loadTicketSecrets(config);
    if (read === null) {
      const kept = Math.ceil(config.lifetimeMs / config.rotateMs);
      own = [randomBytes(OWN_SECRET_BYTES), ...own.slice(0, kept)];
      publish(own);
    } else if (read.ok) {
      publish(read.secrets);
      log.info('session ticket keys read', { keys: read.secrets.length });
    } else {
      failures.inc();
      log.error('the session ticket keys stay as they were', { code: read.code, reason: read.reason });
    }
  }

  renew();
  let watch: FileWatch | null = null;
  let timer: NodeJS.Timeout | undefined;
  if (config.keysFile === undefined) {
    timer = setInterval(renew, config.rotateMs);
    timer.unref();
  } else watch = watchFiles([config.keysFile], renew);
  return {
    renew,
    stop() {
      clearInterval(timer);
      watch?.stop();
    },
  };
}
