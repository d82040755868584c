/** OpenShift's broker as far as its REST goes, with the bodies that it really sends (domain.md 1.5). */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface BrokerEndpoint {
  readonly cartridge_name: string;
  readonly external_address: string;
  /** A string in the broker's database. */
  readonly external_port: string;
  readonly protocols: readonly string[];
  readonly types?: readonly string[];
  readonly mappings: readonly object[] | null;
}

export interface BrokerApplication {
  readonly name: string;
  readonly namespace: string;
  readonly scalable: boolean;
  readonly aliases: readonly string[];
  /** By gear id. */
  readonly gears: Readonly<Record<string, readonly BrokerEndpoint[]>>;
}

export interface OpenShiftBroker {
  readonly url: URL;
  applications: BrokerApplication[];
  /** Answers instead of the broker where it returns true. */
  answer: (request: IncomingMessage, response: ServerResponse) => boolean;
  readonly asked: string[];
  readonly authorizations: Set<string | undefined>;
  stop(): Promise<void>;
}

export function brokerEndpoint(
  address: string,
  port: number,
  over: Partial<BrokerEndpoint> = {},
): BrokerEndpoint {
  return {
    cartridge_name: 'haproxy-1.4',
    external_address: address,
    external_port: String(port),
    protocols: ['http', 'ws'],
    types: ['load_balancer'],
    mappings: [
      { frontend: '', backend: '' },
      { frontend: '/health', backend: '/configuration/health' },
    ],
    ...over,
  };
}

export async function startOpenShiftBroker(): Promise<OpenShiftBroker> {
  const server = createServer((request, response) => {
    broker.asked.push(request.url ?? '');
    broker.authorizations.add(request.headers.authorization);
    if (broker.answer(request, response)) return;
    const data = dataOf(broker.applications, (request.url ?? '').split('?', 1)[0] ?? '');
    if (data === null) response.writeHead(404).end();
    else
      response
        .writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' })
        .end(JSON.stringify(data));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const broker: OpenShiftBroker = {
    url: new URL(`http://127.0.0.1:${port}/broker/rest/`),
    applications: [],
    answer: () => false,
    asked: [],
    authorizations: new Set(),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return broker;
}

function dataOf(applications: readonly BrokerApplication[], path: string): object | null {
  if (path === '/broker/rest/applications')
    return envelope('applications', applications.map(applicationBody));
  const [, namespace, name] =
    /^\/broker\/rest\/domain\/(\w+)\/application\/(\w+)\/gear_groups$/.exec(path) ?? [];
  const found = applications.find((one) => one.name === name && one.namespace === namespace);
  return found === undefined ? null : envelope('gear_groups', [gearGroupBody(found)]);
}

function envelope(type: string, data: readonly object[]): object {
  const messages = [{ exit_code: 0, field: null, index: null, severity: 'info', text: `Showing ${type}` }];
  return {
    api_version: 1.7,
    data,
    messages,
    status: 'ok',
    supported_api_versions: [1.6, 1.7],
    type,
    version: '1.7',
  };
}

function applicationBody({ name, namespace, scalable, aliases, gears }: BrokerApplication): object {
  return {
    aliases: aliases.map((id) => ({
      id,
      has_private_ssl_certificate: true,
      certificate_added_at: '2014-11-30',
    })),
    app_url: `http://${name}-${namespace}.apps.test/`,
    creation_time: '2014-11-29T18:05:15Z',
    domain_id: namespace,
    embedded: { 'haproxy-1.4': {} },
    framework: 'nodejs-0.10',
    gear_count: Object.keys(gears).length,
    gear_profile: 'small',
    health_check_path: 'health',
    id: '542b72abafec2de3aa000009',
    name,
    scalable,
  };
}

function gearGroupBody({ gears }: BrokerApplication): object {
  return {
    additional_gear_storage: 0,
    base_gear_storage: 1,
    cartridges: [
      { name: 'nodejs-0.10', display_name: 'Node.js 0.10', tags: ['service', 'nodejs', 'web_framework'] },
    ],
    gear_profile: 'small',
    gears: Object.entries(gears).map(([id, endpoints]) => ({
      id,
      state: 'started',
      ssh_url: `ssh://${id}@x`,
      endpoints,
    })),
    id: '542b72abafec2de3aa000010',
    name: '542b72abafec2de3aa000010',
    scales_from: 2,
    scales_to: -1,
  };
}
