/**
 * What a configuration names, read and judged before anything binds: one function for the start and for `headgear check`, so that neither
 * says fine where the other refuses. Beside the composition root, because it asks rooms of the data plane that the command line may not know.
 */
import { type LoadedClientRule, loadClientRules } from './certificates/client-demands.ts';
import { loadPlatformCertificates, type PlatformCertificate } from './certificates/load-platform.ts';
import { checkFiles } from './config/check-files.ts';
import type { Problem } from './config/problem.ts';
import type { Config } from './config/schema.ts';
import { keySourceOf, loadKeys } from './store/master-key.ts';
import { StoreError } from './store/store-error.ts';
import { upstreamTlsProblems } from './upstream/tls-policy.ts';

export interface StartFindings {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** What was read on the way; not all of it where there are problems. */
  readonly platformCertificates: readonly PlatformCertificate[];
  readonly clientRules: readonly LoadedClientRule[];
}

/**
 * All problems at once, each with its path; where a file is missing that is the whole answer, since the rest would only say it again in other
 * words. Reads files and changes nothing; never throws.
 */
export function checkStart(config: Config): StartFindings {
  const { problems: ofFiles, warnings } = checkFiles(config);
  const platform = loadPlatformCertificates(config.tls);
  const client = loadClientRules(config.clientCertificates);
  const read = { warnings, platformCertificates: platform.certificates, clientRules: client.rules };
  if (ofFiles.length > 0) return { ...read, problems: ofFiles };
  const judged = [...platform.problems, ...client.problems].map(({ path, code, reason }) => ({
    path,
    message: `${reason} (${code})`,
  }));
  const problems = [...judged, ...upstreamTlsProblems(config.upstream.tls), ...masterKeyProblems(config)];
  return { ...read, problems };
}

/** Of a key file that the configuration names. A file of Headgear's own may not be there yet, and a key given as text was looked at as such. */
function masterKeyProblems({ masterKey, stateDir }: Config): readonly Problem[] {
  const source = keySourceOf(masterKey, stateDir);
  if (source.kind === 'given' || source.own) return [];
  try {
    loadKeys(source);
    return [];
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return [{ path: 'masterKey.file', message: `${error.message} (${error.code})` }];
  }
}
