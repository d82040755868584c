/** A configuration for standing beside an incumbent without doing anything (`headgear run --shadow`). Pure. */
import type { Problem } from './problem.ts';
import type { Config } from './schema.ts';

export type Shadow =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const SUFFIX = '-shadow';

/**
 * No listener for clients, no probe, nobody asked for OCSP; a state folder and a durable subscription of its own. A queue is refused: each
 * message of it goes to one reader, so the incumbent would lose what the shadow reads. `nginxConfDir` goes before the configured one.
 */
export function shadowOf(config: Config, nginxConfDir?: string): Shadow {
  const { bus } = config;
  if (bus?.destination.startsWith('/queue/') && !bus.destination.startsWith('/queue/Consumer.')) {
    const message = `${bus.destination} gives each message to one reader, so the shadow would take them from the incumbent: name a topic, or a queue of its own behind a virtual topic (/queue/Consumer.NAME.VirtualTopic.NAME)`;
    return { ok: false, problems: [{ path: 'bus.destination', message }] };
  }
  return {
    ok: true,
    config: {
      ...config,
      listeners: { http: [], https: [] },
      keepAwake: { ...config.keepAwake, enabled: false },
      tls: { ...config.tls, ocsp: { ...config.tls.ocsp, enabled: false } },
      stateDir: `${config.stateDir.replace(/\/+$/, '')}${SUFFIX}`,
      shadow: nginxConfDir === undefined ? config.shadow : { ...config.shadow, nginxConfDir },
      ...(bus?.clientId === undefined ? {} : { bus: { ...bus, clientId: `${bus.clientId}${SUFFIX}` } }),
    },
  };
}
