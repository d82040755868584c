/** Routing events as OpenShift's broker publishes them (domain.md 1.1 and 1.2), for any application and address. */
import { addAlias, addSsl, createApplication, type SampleApp } from '../../src/sample/sample-events.ts';

export { addAlias, addSsl, createApplication };
export type App = SampleApp;

export interface EndpointAt {
  readonly gearId: string;
  readonly address: string;
  readonly port: number;
  /** Default: `load_balancer`. */
  readonly type?: 'load_balancer' | 'web_framework';
}

/** `namespace/app`. */
export function keyOf({ appName, namespace }: App): string {
  return `${namespace}/${appName}`;
}

export function addEndpoint(app: App, { gearId, address, port, type }: EndpointAt): Buffer {
  const proxy = (type ?? 'load_balancer') === 'load_balancer';
  return body('add_public_endpoint', app, [
    `:gear_id: ${gearId}`,
    `:public_port_name: ${proxy ? 'haproxy-1.4' : 'nodejs-0.10'}`,
    `:public_address: '${address}'`,
    `:public_port: ${port}`,
    ':protocols:',
    '- http',
    '- ws',
    ':types:',
    `- ${type ?? 'load_balancer'}`,
    ':mappings:',
    "- frontend: ''",
    "  backend: ''",
    ...(proxy ? ['- frontend: /health', '  backend: /configuration/health'] : []),
  ]);
}

export function removeEndpoint(app: App, { gearId, address, port }: EndpointAt): Buffer {
  return body('remove_public_endpoint', app, [
    `:gear_id: ${gearId}`,
    `:public_address: '${address}'`,
    `:public_port: ${port}`,
  ]);
}

export function removeAlias(app: App, alias: string): Buffer {
  return body('remove_alias', app, [`:alias: ${alias}`]);
}

export function removeSsl(app: App, alias: string): Buffer {
  return body('remove_ssl', app, [`:alias: ${alias}`]);
}

export function deleteApplication(app: App): Buffer {
  return body('delete_application', app, [':scalable: true', ':ha: true']);
}

function body(action: string, app: App, lines: readonly string[]): Buffer {
  const head = ['---', `:action: :${action}`, `:app_name: ${app.appName}`, `:namespace: ${app.namespace}`];
  return Buffer.from(`${[...head, ...lines].join('\n')}\n`);
}
