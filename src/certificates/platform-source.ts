/** Reads the platform's certificates again when their files change: a renewed wildcard serves without a restart. */
import type { Config } from '../config/schema.ts';
import { type FileWatch, watchFiles } from '../config/watch-files.ts';
import type { Log, Metrics } from '../telemetry/types.ts';
import { loadPlatformCertificates, type PlatformCertificate } from './load-platform.ts';

/**
 * Hands over the whole list after a change, if all of it can be used. Else everything stays as it was, loudly: between the writing of a
 * certificate and of its key nothing is wrong yet, and the next look will see both.
 */
export function watchPlatformCertificates(options: {
  readonly config: Config['tls'];
  readonly log: Log;
  readonly metrics: Metrics;
  readonly publish: (certificates: readonly PlatformCertificate[]) => void;
}): FileWatch {
  const { config, log, metrics, publish } = options;
  const failures = metrics.counter(
    'tls_platform_reload_failures_total',
    'Changes of the platform certificates that could not be used',
  );
  const files = config.certificates.flatMap(({ certFile, keyFile, passPhraseFile }) =>
    passPhraseFile === undefined ? [certFile, keyFile] : [certFile, keyFile, passPhraseFile],
  );
  return watchFiles(files, () => {
    const { certificates, problems } = loadPlatformCertificates(config);
    if (problems.length === 0) {
      publish(certificates);
      log.info('platform certificates read', { certificates: certificates.length });
      return;
    }
    failures.inc();
    for (const { path, code, reason } of problems)
      log.error('the platform certificates stay as they were', { path, code, reason });
  });
}
