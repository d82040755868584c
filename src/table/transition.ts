/** State x event -> state. Pure: no clock, no I/O; the cost is that of the application the event speaks of. */
import type { TableEvent, Transition } from './events.ts';
import type { TablePolicy } from './policy.ts';
import type { RoutingState } from './state.ts';
import { addAlias, removeAlias } from './transition-aliases.ts';
import { createApplication, deleteApplication } from './transition-application.ts';
import { addSsl, refuseSsl, removeSsl } from './transition-certificates.ts';
import { addEndpoint, removeEndpoint } from './transition-endpoints.ts';

/**
 * Applies one event. The same `state` reference comes back exactly when nothing changed; a `rejection` (`TABLE_...`) always leaves
 * the state as it was. Never throws for anything an event may hold.
 */
export function transition(state: RoutingState, event: TableEvent, policy: TablePolicy): Transition {
  switch (event.action) {
    case 'create_application':
      return createApplication(state, event, policy);
    case 'delete_application':
      return deleteApplication(state, event, policy);
    case 'add_public_endpoint':
      return addEndpoint(state, event, policy);
    case 'remove_public_endpoint':
      return removeEndpoint(state, event);
    case 'add_alias':
      return addAlias(state, event, policy);
    case 'remove_alias':
      return removeAlias(state, event);
    case 'add_ssl':
      return addSsl(state, event, policy);
    case 'refuse_ssl':
      return refuseSsl(state, event, policy);
    case 'remove_ssl':
      return removeSsl(state, event);
  }
}
