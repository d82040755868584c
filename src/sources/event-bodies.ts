/** Routing events as JSON bodies, with the fields of the SPI (domain.md 1.1): what every source hands to the control loop. Pure. */
import { appKeyOf, type EndpointFacts, type RoutingEvent } from '../spi/events.ts';

/** JSON, which `spi` reads as the YAML that it is. */
export function eventBody(event: RoutingEvent): Buffer {
  return Buffer.from(JSON.stringify(eventFields(event)));
}

/** The fields of an event by their names in the SPI. */
export function eventFields(event: RoutingEvent): Readonly<Record<string, unknown>> {
  const { action, app } = event;
  const head = { action, app_name: app.appName, namespace: app.namespace };
  switch (event.action) {
    case 'create_application':
      return { ...head, scalable: event.scalable, ha: event.ha };
    case 'delete_application':
      return head;
    case 'add_public_endpoint':
      return { ...head, ...endpointFields(event.endpoint) };
    case 'remove_public_endpoint':
      return {
        ...head,
        gear_id: event.gearId,
        public_address: event.address,
        public_port: event.port,
      };
    case 'add_ssl':
      return {
        ...head,
        alias: event.alias,
        ssl: event.certificatePem,
        private_key: event.privateKeyPem,
        pass_phrase: event.passPhrase,
      };
    case 'add_alias':
    case 'remove_alias':
    case 'remove_ssl':
      return { ...head, alias: event.alias };
  }
}

function endpointFields(endpoint: EndpointFacts): Readonly<Record<string, unknown>> {
  return {
    gear_id: endpoint.gearId,
    public_port_name: endpoint.cartridge,
    public_address: endpoint.address,
    public_port: endpoint.port,
    protocols: endpoint.protocols,
    types: endpoint.types,
    mappings: endpoint.mappings,
  };
}

/** What an event does, for people; never key material. */
export function eventText(event: RoutingEvent): string {
  const app = appKeyOf(event.app);
  switch (event.action) {
    case 'add_public_endpoint':
      return `${event.action} ${app} ${event.endpoint.address}:${event.endpoint.port} ${event.endpoint.types.join(',')}`;
    case 'remove_public_endpoint':
      return `${event.action} ${app} ${event.address}:${event.port}`;
    case 'create_application':
    case 'delete_application':
      return `${event.action} ${app}`;
    default:
      return `${event.action} ${app} ${event.alias}`;
  }
}
