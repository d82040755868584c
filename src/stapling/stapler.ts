/**
 * Keeps OCSP responses fresh for the certificates in use (RFC 6066 section 8), so that handshakes only staple what lies there. Of the control
 * plane: it has the network. A failure is quiet, and the handshake goes without.
 */
import type { Config } from '../config/schema.ts';
import { type OcspQuestion, ocspQuestionOf } from '../pem/ocsp-request.ts';
import { judgeOcspResponse } from '../pem/ocsp-response.ts';
import type { Counter, Log, Metrics } from '../telemetry/types.ts';
import { type Asked, askResponder } from './ask-responder.ts';
import { createDialPolicy } from './dial-policy.ts';

/** Plain data: it crosses to the data plane. */
export interface Staple {
  readonly response: Uint8Array;
  /** Epoch milliseconds; not to be stapled from then on. */
  readonly until: number;
}

export interface CertificateInUse {
  readonly id: string;
  /** Leaf first; without its issuer nothing can be checked, so nothing is asked. */
  readonly chainPem: string;
}

export interface Stapler {
  /** Handshakes get this certificate. Costs a look-up when it is known; whatever there is to do is done later. */
  note(certificate: CertificateInUse): void;
  stop(): void;
}

export interface StaplerOptions {
  readonly config: Config['tls']['ocsp'];
  /** Certificates kept in mind at most; the longest known goes first. */
  readonly maxCertificates: number;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Null: there is none any more. */
  readonly publish: (id: string, staple: Staple | null) => void;
  /** Whether handshakes still get the certificate: one that nobody asks for is not asked about. */
  readonly isInUse: (id: string) => boolean;
  /** For tests; default: the network, the clock, and a look each second. */
  readonly ask?: typeof askResponder;
  readonly now?: () => number;
  /** Calls `look` again and again, until what it gives back is called. */
  readonly lookRegularly?: (look: () => void) => () => void;
}

interface Tracked {
  readonly certificate: CertificateInUse;
  question: OcspQuestion | null;
  /** Epoch milliseconds; infinite while it is being asked about and where there is nothing to ask. */
  dueAt: number;
  /** Of the response that is stapled; 0: none. */
  until: number;
  failures: number;
}

/** Strangers' responders may hang until their time is up, each. */
const MAX_ASKED_AT_ONCE = 4;
const LOOK_MS = 1_000;
const FIRST_RETRY_MS = 60_000;
const LAST_RETRY_MS = 3_600_000;
const MIN_REFRESH_MS = 300_000;
/** For a response that does not say when the next one comes. */
const DEFAULT_LIFE_MS = 3_600_000;

export function createStapler(options: StaplerOptions): Stapler {
  const {
    config,
    maxCertificates,
    log,
    metrics,
    publish,
    isInUse,
    ask = askResponder,
    now = Date.now,
    lookRegularly = lookEachSecond,
  } = options;
  const tracked = new Map<string, Tracked>();
  const policy = createDialPolicy(config.allowedAddresses);
  const stopping = new AbortController();
  const responses: Counter = metrics.counter('tls_ocsp_responses_total', 'Answers of OCSP responders', [
    'result',
  ]);
  const stapled = metrics.gauge(
    'tls_ocsp_stapled_certificates',
    'Certificates with an OCSP response to staple',
  );
  metrics.onCollect(() => {
    const time = now();
    stapled.set([...tracked.values()].filter(({ until }) => until > time).length);
  });
  let asking = 0;
  let scheduled: NodeJS.Immediate | null = null;
  const lookNoMore = lookRegularly(schedule);

  function schedule(): void {
    if (tracked.size > 0 && !stopping.signal.aborted) scheduled ??= setImmediate(step);
  }

  /** One certificate a turn of the event loop: reading it costs up to a millisecond. */
  function step(): void {
    scheduled = null;
    const due = asking < MAX_ASKED_AT_ONCE ? nextDue() : null;
    if (due === null) return;
    begin(due);
    schedule();
  }

  /** Renewals first: whoever names responders that hang delays none of those that answered before. */
  function nextDue(): Tracked | null {
    const time = now();
    let best: Tracked | null = null;
    for (const one of tracked.values()) {
      if (one.dueAt > time) continue;
      if (best === null || (one.until > 0 && best.until === 0)) best = one;
      if (best.until > 0) break;
    }
    return best;
  }

  function begin(one: Tracked): void {
    const { id, chainPem } = one.certificate;
    // At the first time it was noted just now, and its context may not even be in the cache yet.
    if (one.question !== null && !isInUse(id)) {
      tracked.delete(id);
      return;
    }
    one.dueAt = Number.POSITIVE_INFINITY;
    one.question ??= ocspQuestionOf(chainPem);
    if (one.question === null) return;
    asking += 1;
    const { url, request } = one.question;
    void ask(url, request, { policy, timeoutMs: config.timeoutMs, signal: stopping.signal }).then((asked) => {
      asking -= 1;
      if (stopping.signal.aborted) return;
      settle(one, asked);
      schedule();
    });
  }

  function settle(one: Tracked, asked: Asked): void {
    const { question, certificate } = one;
    if (question === null) return;
    const time = now();
    const judged = asked.ok ? judgeOcspResponse(asked.response, question, time) : asked;
    responses.inc({ result: judged.ok ? 'good' : judged.code });
    if (judged.ok && asked.ok) {
      one.until = judged.nextUpdate ?? time + DEFAULT_LIFE_MS;
      one.failures = 0;
      one.dueAt = time + spread(Math.max(MIN_REFRESH_MS, (one.until - time) / 2));
      publish(certificate.id, { response: asked.response, until: one.until });
      return;
    }
    const code = judged.ok ? '' : judged.code;
    const fields = { certificateId: certificate.id, responder: new URL(question.url).host, code };
    if (code === 'PEM_OCSP_REVOKED') {
      log.warn('a certificate in use is revoked', fields);
      one.until = 0;
      publish(certificate.id, null);
    } else if (one.failures === 0) log.info('no OCSP response to staple', fields);
    one.dueAt = time + spread(Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(10, one.failures)));
    one.failures += 1;
  }

  return {
    note(certificate) {
      if (!config.enabled || tracked.has(certificate.id)) return;
      if (tracked.size >= maxCertificates) {
        const [eldest] = tracked.keys();
        if (eldest !== undefined) tracked.delete(eldest);
      }
      tracked.set(certificate.id, { certificate, question: null, dueAt: 0, until: 0, failures: 0 });
      schedule();
    },
    stop() {
      stopping.abort();
      lookNoMore();
      if (scheduled !== null) clearImmediate(scheduled);
    },
  };
}

function lookEachSecond(look: () => void): () => void {
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** Up to a tenth sooner or later, so that what began together does not stay together. */
function spread(ms: number): number {
  return ms * (0.9 + Math.random() * 0.2);
}
