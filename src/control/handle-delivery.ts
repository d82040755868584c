/** One delivery -> what is to become of it. Decides only: nothing is durable, acked or published here. */
import type { Submission } from '../pem/judge.ts';
import type { Judged } from '../pem/types.ts';
import { warningText } from '../pem/warnings.ts';
import { type AppKey, appKeyOf, type Decoded, type Rejection, type RoutingEvent } from '../spi/events.ts';
import type { Delivery } from '../stomp/delivery.ts';
import type { QuarantineEntry, SealedCertificate, Store } from '../store/types.ts';
import { endpointKey } from '../table/address-policy.ts';
import { packCertificate } from '../table/certificate-ref.ts';
import type { Decision, Finding, TableEvent } from '../table/events.ts';
import type { TablePolicy } from '../table/policy.ts';
import type { RoutingState } from '../table/state.ts';
import { transition } from '../table/transition.ts';
import type { Log } from '../telemetry/types.ts';
import type { EventReport } from './types.ts';

export interface Tools {
  readonly policy: TablePolicy;
  readonly log: Log;
  /** Longest part of a body that is kept in quarantine. */
  readonly maxBodyBytes: number;
  /** Both may be asynchronous: what can be made costly is done in another thread (costly.ts). */
  readonly readEvent: (body: Buffer) => Decoded | Promise<Decoded>;
  readonly judge: (submission: Submission) => Judged | Promise<Judged>;
  readonly seal: Store['seal'];
}

/** Chain and key as they go into the store, by (application, alias). */
export interface HeldCertificate {
  readonly app: AppKey;
  readonly alias: string;
  readonly certificate: SealedCertificate;
}

type Told = Pick<
  EventReport,
  'action' | 'app' | 'subject' | 'outcome' | 'code' | 'reason' | 'notes' | 'decisions'
>;

export interface Handled {
  readonly state: RoutingState;
  readonly touched: readonly AppKey[];
  readonly buried: readonly AppKey[];
  readonly findings: readonly Finding[];
  readonly certificate: HeldCertificate | null;
  readonly quarantine: Omit<QuarantineEntry, 'id'> | null;
  /** Number of a quarantined message that goes: it was replayed, or dropped. */
  readonly released: number | null;
  /** Deleted by this event, known before or not: nothing of it stays in quarantine. */
  readonly deleted: AppKey | null;
  readonly told: Told;
}

/** What is left to say of it once it is durable. */
export type Said = Pick<Handled, 'told' | 'findings'>;

/**
 * `byHand`: an operator's own doing, not guarded against being late. Never throws or rejects: what fails unforeseen is a fault of ours, is
 * quarantined as `CONTROL_INTERNAL`, and the next delivery goes on. Only what another thread is asked for comes as a promise: one for each of
 * the common events would be most of what is left behind for the garbage collector.
 */
export function handleDelivery(
  delivery: Delivery,
  state: RoutingState,
  tools: Tools,
  byHand = false,
): Handled | Promise<Handled> {
  if (delivery.refused !== undefined)
    return quarantined(delivery, state, tools, delivery.refused, null, null);
  try {
    const read = tools.readEvent(delivery.body);
    if (!(read instanceof Promise)) return handleDecoded(delivery, state, tools, read, byHand);
    return read.then(
      (decoded) => handleDecoded(delivery, state, tools, decoded, byHand),
      (error: unknown) => failed(delivery, state, tools, error, null),
    );
  } catch (error) {
    return failed(delivery, state, tools, error, null);
  }
}

function handleDecoded(
  delivery: Delivery,
  state: RoutingState,
  tools: Tools,
  decoded: Decoded,
  byHand: boolean,
): Handled | Promise<Handled> {
  if (decoded.kind === 'ignored') return { ...nothing(state), told: told(decoded.action, null, 'ignored') };
  if (decoded.kind === 'rejected')
    return quarantined(delivery, state, tools, decoded.rejection, decoded.action, decoded.app);
  const { event, notes } = decoded;
  try {
    if (event.action === 'add_ssl')
      return judgedEvent(delivery, event, tools)
        .then((judged) => handleEvent(delivery, state, tools, event, judged, notes, byHand))
        .catch((error: unknown) => failed(delivery, state, tools, error, event));
    const judged = { event, certificate: null, refused: null, findings: NO_FINDINGS };
    return handleEvent(delivery, state, tools, event, judged, notes, byHand);
  } catch (error) {
    return failed(delivery, state, tools, error, event);
  }
}

function failed(
  delivery: Delivery,
  state: RoutingState,
  tools: Tools,
  error: unknown,
  event: RoutingEvent | null,
): Handled {
  tools.log.error('an event could not be handled: a fault in this program', {
    code: 'CONTROL_INTERNAL',
    source: delivery.source,
    messageId: delivery.messageId,
    ...traceOf(error),
  });
  const rejection = { code: 'CONTROL_INTERNAL', reason: 'handling failed; the log says where' };
  const app = event === null ? null : appKeyOf(event.app);
  return quarantined(delivery, state, tools, rejection, event?.action ?? null, app);
}

const NO_FINDINGS: readonly Finding[] = [];

function handleEvent(
  delivery: Delivery,
  state: RoutingState,
  tools: Tools,
  event: RoutingEvent,
  judged: JudgedEvent,
  notes: readonly string[],
  byHand: boolean,
): Handled {
  const app = appKeyOf(event.app);
  const stamp = { at: delivery.receivedAt, sentAt: delivery.sentAt, byHand };
  const next = transition(state, judged.event, tools.policy, stamp);
  const rejection = judged.refused ?? next.rejection;
  const findings = judged.findings.length === 0 ? next.findings : [...next.findings, ...judged.findings];
  const result = {
    state: next.state,
    touched: next.touched,
    buried: next.buried,
    findings,
    certificate: next.rejection === null ? judged.certificate : null,
    released: null,
    deleted: event.action === 'delete_application' ? app : null,
  };
  const subject = subjectOf(event);
  const allNotes = findings.length === 0 ? notes : [...notes, ...findings.map(({ message }) => message)];
  const decisions = decisionsOf(findings);
  if (rejection !== null) {
    const entry = quarantined(delivery, state, tools, rejection, event.action, app);
    return { ...entry, ...result, told: { ...entry.told, subject, notes: allNotes, decisions } };
  }
  const outcome = next.state === state ? 'unchanged' : 'applied';
  const { action } = event;
  return {
    ...result,
    quarantine: null,
    told: { action, app, subject, outcome, code: '', reason: '', notes: allNotes, decisions },
  };
}

interface JudgedEvent {
  readonly event: TableEvent;
  readonly certificate: HeldCertificate | null;
  readonly refused: Rejection | null;
  /** What an operator should know of a certificate that was accepted. */
  readonly findings: readonly Finding[];
}

/** A refusal is an event of its own: the alias remembers it, the former certificate stays. */
async function judgedEvent(
  delivery: Delivery,
  event: Extract<RoutingEvent, { action: 'add_ssl' }>,
  tools: Tools,
): Promise<JudgedEvent> {
  const { app, alias, certificatePem, privateKeyPem, passPhrase } = event;
  const now = delivery.receivedAt;
  const judged = await tools.judge({ certificatePem, privateKeyPem, passPhrase, alias, now });
  if (!judged.ok) {
    const refused = { code: judged.code, reason: judged.reason };
    return {
      event: { action: 'refuse_ssl', app, alias, refusal: { ...refused, at: now } },
      certificate: null,
      refused,
      findings: [],
    };
  }
  const { facts, chainPem, keyPem, warnings } = judged;
  const key = appKeyOf(app);
  const sealed = tools.seal(key, alias, { id: facts.id, chainPem, keyPem });
  return {
    event: { action: 'add_ssl', app, alias, certificate: packCertificate({ ...facts, warnings }) },
    certificate: { app: key, alias, certificate: sealed },
    refused: null,
    findings: warnings.map((code) => ({ code, app: key, message: warningText(code, facts, alias) })),
  };
}

function quarantined(
  delivery: Delivery,
  state: RoutingState,
  tools: Tools,
  rejection: Rejection,
  action: string | null,
  app: AppKey | null,
): Handled {
  const quarantine = {
    at: delivery.receivedAt,
    source: delivery.source,
    messageId: delivery.messageId,
    code: rejection.code,
    reason: rejection.reason,
    action,
    app,
    body: delivery.body.subarray(0, tools.maxBodyBytes),
    bodyBytes: delivery.bodyBytes ?? delivery.body.length,
  };
  const { code, reason } = rejection;
  return { ...nothing(state), quarantine, told: { ...told(action, app, 'quarantined'), code, reason } };
}

export function nothing(state: RoutingState): Omit<Handled, 'told'> {
  return {
    state,
    touched: [],
    buried: [],
    findings: [],
    certificate: null,
    quarantine: null,
    released: null,
    deleted: null,
  };
}

export function told(action: string | null, app: AppKey | null, outcome: EventReport['outcome']): Told {
  return { action, app, subject: '', outcome, code: '', reason: '', notes: [], decisions: [] };
}

export function decisionsOf(findings: readonly Finding[]): readonly Decision[] {
  return findings.length === 0
    ? []
    : findings.flatMap(({ decision }) => (decision === undefined ? [] : [decision]));
}

export function subjectOf(event: RoutingEvent | TableEvent): string {
  switch (event.action) {
    case 'add_public_endpoint':
    case 'pin_endpoint':
      return endpointKey(event.endpoint.address, event.endpoint.port);
    case 'remove_public_endpoint':
    case 'unpin_endpoint':
      return endpointKey(event.address, event.port);
    case 'create_application':
    case 'delete_application':
      return '';
    default:
      return event.alias;
  }
}

/** Where it happened. Not the message: errors of parsers quote what they read, and that may be a private key. */
function traceOf(error: unknown): { readonly error: string; readonly at: readonly string[] } {
  if (!(error instanceof Error)) return { error: typeof error, at: [] };
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return { error: error.name, at: frames.slice(0, 8).map((line) => line.trim()) };
}
