/** State x event -> state. Pure: no I/O, and no clock but the event's stamp; the cost is that of the application the event speaks of. */
import type { Stamp, TableEvent, Transition } from './events.ts';
import type { TablePolicy } from './policy.ts';
import type { RoutingState } from './state.ts';
import { addAlias, removeAlias } from './transition-aliases.ts';
import { createApplication, deleteApplication } from './transition-application.ts';
import { addSsl, refuseSsl, removeSsl, retireSsl } from './transition-certificates.ts';
import { addEndpoint, removeEndpoint } from './transition-endpoints.ts';
import { pinAlias, pinEndpoint, unpinAlias, unpinEndpoint } from './transition-pins.ts';

/**
 * Applies one event. The same `state` reference comes back exactly when nothing changed; a `rejection` (`TABLE_...`) always leaves
 * the state as it was. Never throws for anything an event may hold.
 */
export function transition(
  state: RoutingState,
  event: TableEvent,
  policy: TablePolicy,
  stamp: Stamp,
): Transition {
  switch (event.action) {
    case 'create_application':
      return createApplication(state, event, policy, stamp);
    case 'delete_application':
      return deleteApplication(state, event, policy, stamp);
    case 'add_public_endpoint':
      return addEndpoint(state, event, policy, stamp);
    case 'remove_public_endpoint':
      return removeEndpoint(state, event, policy, stamp);
    case 'add_alias':
      return addAlias(state, event, policy, stamp);
    case 'remove_alias':
      return removeAlias(state, event, stamp);
    case 'add_ssl':
      return addSsl(state, event, policy, stamp);
    case 'refuse_ssl':
      return refuseSsl(state, event, policy, stamp);
    case 'remove_ssl':
      return removeSsl(state, event, policy, stamp);
    case 'pin_endpoint':
      return pinEndpoint(state, event, policy, stamp);
    case 'unpin_endpoint':
      return unpinEndpoint(state, event, policy);
    case 'pin_alias':
      return pinAlias(state, event, policy, stamp);
    case 'unpin_alias':
      return unpinAlias(state, event, policy);
    case 'retire_ssl':
      return retireSsl(state, event);
  }
}
