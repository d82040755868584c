/** The sample application's life as message bodies, written as OpenShift's broker with Ruby's Psych 1.2.2 writes them (domain.md 1.2). Pure. */

/** One gear with its two public ports: the web server's own and that of its haproxy. */
export interface SampleGearPorts {
  readonly gearId: string;
  readonly webPort: number;
  readonly proxyPort: number;
}

export interface SampleApp {
  readonly appName: string;
  readonly namespace: string;
}

const address = '127.0.0.1';

export function createApplication(app: SampleApp): Buffer {
  return body('create_application', app, [':scalable: true', ':ha: true']);
}

/** In the broker's order: the web ports of all gears, then the haproxies, the head gear's first (domain.md 1.3). */
export function addEndpoints(app: SampleApp, gears: readonly SampleGearPorts[]): Buffer[] {
  const add = (gearId: string, cartridge: string, port: number, type: string, mappings: readonly string[]) =>
    body('add_public_endpoint', app, [
      `:gear_id: ${gearId}`,
      `:public_port_name: ${cartridge}`,
      `:public_address: '${address}'`,
      `:public_port: ${port}`,
      ':protocols:',
      '- http',
      '- ws',
      ':types:',
      `- ${type}`,
      ':mappings:',
      ...mappings,
    ]);
  const root = ["- frontend: ''", "  backend: ''"];
  const health = ['- frontend: /health', '  backend: /configuration/health'];
  return [
    ...gears.map(({ gearId, webPort }) => add(gearId, 'nodejs-0.10', webPort, 'web_framework', root)),
    ...gears.map(({ gearId, proxyPort }) =>
      add(gearId, 'haproxy-1.4', proxyPort, 'load_balancer', [...root, ...health]),
    ),
  ];
}

export function removeEndpoints(app: SampleApp, gears: readonly SampleGearPorts[]): Buffer[] {
  return gears.flatMap(({ gearId, webPort, proxyPort }) =>
    [webPort, proxyPort].map((port) =>
      body('remove_public_endpoint', app, [
        `:gear_id: ${gearId}`,
        `:public_address: '${address}'`,
        `:public_port: ${port}`,
      ]),
    ),
  );
}

export function addAlias(app: SampleApp, alias: string): Buffer {
  return body('add_alias', app, [`:alias: ${alias}`]);
}

export function addSsl(
  app: SampleApp,
  alias: string,
  pair: { readonly certificatePem: string; readonly privateKeyPem: string; readonly passPhrase?: string },
): Buffer {
  return body('add_ssl', app, [
    `:alias: ${alias}`,
    `:ssl: ${folded(pair.certificatePem)}`,
    `:private_key: ${folded(pair.privateKeyPem)}`,
    pair.passPhrase === undefined ? ':pass_phrase:' : `:pass_phrase: ${pair.passPhrase}`,
  ]);
}

function body(action: string, app: SampleApp, lines: readonly string[]): Buffer {
  const head = ['---', `:action: :${action}`, `:app_name: ${app.appName}`, `:namespace: ${app.namespace}`];
  return Buffer.from(`${[...head, ...lines].join('\n')}\n`);
}

/** Psych 1.2.2 writes text of several lines single-quoted and folded: each line break doubled, with the tag `!` in front. */
function folded(text: string): string {
  return `! '${text.replaceAll("'", "''").replaceAll('\n', '\n\n  ')}'`;
}
