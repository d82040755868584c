/** Checks of `upstream.tls` against what uses it. */
import type { Config } from './schema.ts';

type Say = (path: string, message: string) => void;

/** Verification that is configured and used nowhere, or that the chosen engine cannot do. */
export function checkUpstreamTls(config: Config, refuse: Say, warn: Say): void {
  const { caFile, pinnedSha256 } = config.upstream.tls;
  const path = pinnedSha256.length > 0 ? 'upstream.tls.pinnedSha256' : 'upstream.tls.caFile';
  if (pinnedSha256.length === 0 && caFile === undefined) return;
  if (pinnedSha256.length > 0 && config.http.engine !== 'native') {
    refuse('upstream.tls.pinnedSha256', 'works with the engine `native` only; use upstream.tls.caFile');
  }
  if (!config.endpoints.verifyTls && !config.nodeFrontend.verifyTls) {
    warn(path, 'has no effect: neither endpoints.verifyTls nor nodeFrontend.verifyTls is on');
  }
}
