/** The three ways a transition can end. */
import type { AppKey, Rejection } from '../spi/events.ts';
import type { Finding, Transition } from './events.ts';
import type { Application, RoutingState } from './state.ts';

/** Nothing changed: the same state reference goes back. */
export function unchanged(state: RoutingState, ...findings: Finding[]): Transition {
  return { state, touched: [], buried: [], findings, rejection: null };
}

export function changed(
  state: RoutingState,
  touched: readonly AppKey[],
  findings: readonly Finding[] = [],
  buried: readonly AppKey[] = [],
): Transition {
  return { state, touched, buried, findings, rejection: null };
}

/** The event as a whole is refused; what was stays. */
export function rejected(state: RoutingState, rejection: Rejection): Transition {
  return { state, touched: [], buried: [], findings: [], rejection };
}

export function withApp(state: RoutingState, app: Application): RoutingState {
  return { ...state, apps: state.apps.set(app.key, app) };
}
