/** What is asked where. Every answer is plain data of the views; nothing here changes anything (write-routes.ts does). */
import type { ServerResponse } from 'node:http';
import type { CertificateView } from '../control/certificate-view.ts';
import type { Metrics } from '../telemetry/types.ts';
import { answerJson, answerList, answerText, begin } from './answer.ts';
import type { EventStream } from './event-stream.ts';
import { createHistoryRoutes } from './history-routes.ts';
import { shownBody } from './redact.ts';
import type { ControlView, HistoryView, PlaneView, ProbesView, QuarantineView, ShadowView } from './views.ts';

export interface Sources {
  readonly control: ControlView;
  readonly history: HistoryView;
  readonly plane: PlaneView;
  readonly probes: ProbesView;
  /** null: this is no shadow, or one that knows no incumbent. */
  readonly shadow: ShadowView | null;
  /** Status of the subscriber to the message bus; null where none is configured. */
  readonly bus: () => object | null;
  /** Status of the embedded intake; null where none is configured. */
  readonly intake: () => object | null;
  readonly metrics: Pick<Metrics, 'expose' | 'contentType'>;
}

type Query = URLSearchParams;
type Handler = (response: ServerResponse, query: Query) => void | Promise<void>;

const MAX_PAGE = 10_000;
const MAX_QUARANTINE = 1_000;
/** Whole tables that are being written at one time: each holds a snapshot. */
const MAX_TABLES = 4;

const NO_SHADOW = 'this is no shadow with a folder of nginx (run --shadow --nginx-confdir DIR)';

const INDEX = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Headgear</title></head><body>
<h1>Headgear</h1>
<ul>
<li><a href="/table">/table</a> the live routing table (<code>?host=www.example.com</code> one name, <code>?limit=100&amp;after=0</code> a page)</li>
<li><code>/apps/{namespace}/{app}</code> one application</li>
<li><a href="/certificates">/certificates</a> every certificate (<a href="/certificates?alerts=1"><code>?alerts=1</code></a> those that need a look, <code>?name=www.example.com</code> one)</li>
<li><a href="/quarantine">/quarantine</a> messages that were not applied, and why (<code>/quarantine/{id}</code> one)</li>
<li><code>/why?host=www.example.com</code> which events made a route; <a href="/changes">/changes</a> what changed (<code>?from=&amp;to=</code>); <code>/table?at=TIME</code></li>
<li><a href="/findings">/findings</a> conflicts and who won them, oddities of the latest events</li>
<li><a href="/events">/events</a> each event as it comes (server-sent events; <code>headgear listen</code>); POST takes events</li>
<li><a href="/shadow">/shadow</a> of a shadow: hosts that would be routed otherwise than the incumbent does</li>
<li><a href="/keep-awake">/keep-awake</a> answers of the keep-awake probes</li>
<li><a href="/status">/status</a> generation, message bus, intake, data plane</li>
<li><a href="/healthz">/healthz</a> <a href="/readyz">/readyz</a> <a href="/metrics">/metrics</a></li>
</ul>
</body></html>
`;

/** The handler of a path, or null. Paths are compared byte for byte: no decoding, no dots, no second spelling. */
export function createRoutes(sources: Sources, events: EventStream): (path: string) => Handler | null {
  const { control } = sources;
  const history = createHistoryRoutes(sources.history);
  let tables = 0;

  /** Few at one time: each holds a snapshot of the table while its reader takes its time. */
  const wholeTable = async (response: ServerResponse, write: () => Promise<void>): Promise<void> => {
    if (tables >= MAX_TABLES) {
      const reason = `${MAX_TABLES} tables are being written already; ask for a page (/table?limit=100) or later.\n`;
      return answerText(response, 503, reason, { 'Retry-After': '5' });
    }
    tables += 1;
    try {
      await write();
    } finally {
      tables -= 1;
    }
  };

  const certificates: Handler = (response, query) => {
    const name = query.get('name');
    const views = control.certificates(query.get('alerts') === '1' ? 'alerts' : 'all');
    return wholeTable(response, () =>
      answerList(response, {}, 'certificates', name === null ? views : named(views, normalHost(name))),
    );
  };

  const table: Handler = (response, query) => {
    const host = query.get('host');
    if (host !== null) return found(response, control.host(normalHost(host)), 'nobody claims this host');
    if (query.has('at')) return history.tableAt(response, query);
    if (query.has('limit') || query.has('after')) {
      const limit = wholeNumber(query.get('limit') ?? '1000', 1, MAX_PAGE);
      const after = wholeNumber(query.get('after') ?? '0', 0, Number.MAX_SAFE_INTEGER);
      if (limit === null || after === null) {
        return answerText(
          response,
          400,
          `limit is 1 to ${MAX_PAGE}; after is the "next" of the page before.\n`,
        );
      }
      const { generation } = control.status();
      return answerJson(response, 200, { generation, ...control.tablePage(after, limit) });
    }
    return wholeTable(response, () => {
      const { apps, ...head } = control.table();
      return answerList(response, head, 'apps', apps);
    });
  };

  const handlers: Readonly<Record<string, Handler>> = {
    '/': (response) => {
      begin(response, 200, 'text/html; charset=utf-8', {
        'Content-Length': String(Buffer.byteLength(INDEX)),
      });
      response.end(INDEX);
    },
    '/table': table,
    '/digest': (response) => {
      const { generation, applications } = control.status();
      answerJson(response, 200, { digest: control.digest(), generation, applications });
    },
    '/certificates': certificates,
    '/quarantine': (response, query) => {
      const limit = wholeNumber(query.get('limit') ?? '100', 1, MAX_QUARANTINE);
      if (limit === null) return answerText(response, 400, `limit is 1 to ${MAX_QUARANTINE}.\n`);
      const { quarantined } = control.status();
      answerJson(response, 200, { total: quarantined, entries: control.quarantined(limit).map(shownEntry) });
    },
    '/why': (response, query) => {
      const host = query.get('host');
      if (host !== null) query.set('host', normalHost(host));
      return history.why(response, query);
    },
    '/changes': history.changes,
    '/findings': (response) => answerList(response, {}, 'findings', control.findings()),
    '/events': (response) => events.join(response),
    '/shadow': (response) => {
      const { shadow } = sources;
      if (shadow === null) return found(response, null, NO_SHADOW);
      return answerList(response, shadow.status(), 'hosts', shadow.differing());
    },
    '/keep-awake': (response) => answerList(response, {}, 'targets', sources.probes.results()),
    '/status': async (response) => {
      const [bus, intake, plane] = [sources.bus(), sources.intake(), await sources.plane.status()];
      answerJson(response, 200, {
        ready: control.notReady() === null,
        digest: control.digest(),
        control: control.status(),
        bus,
        intake,
        plane,
      });
    },
    '/healthz': (response) => answerText(response, 200, 'ok\n'),
    '/readyz': (response) => {
      const reason = control.notReady();
      if (reason === null) answerText(response, 200, 'ready\n');
      else answerText(response, 503, `not ready: ${reason}\n`, { 'Retry-After': '1' });
    },
    '/metrics': async (response) => {
      const text = await sources.metrics.expose();
      begin(response, 200, sources.metrics.contentType);
      response.end(text);
    },
  };

  return (path) => {
    if (Object.hasOwn(handlers, path)) return handlers[path] ?? null;
    const message = /^\/quarantine\/(\d{1,15})$/.exec(path);
    if (message !== null) {
      const entry = control.quarantineEntry(Number(message[1]));
      const shown = entry === null ? null : shownEntry(entry);
      return (response) => found(response, shown, 'there is no such message in quarantine');
    }
    const app = /^\/apps\/([A-Za-z0-9]{1,64})\/([A-Za-z0-9]{1,64})$/.exec(path);
    if (app === null) return null;
    const key = `${app[1]}/${app[2]}`.toLowerCase();
    return (response) => found(response, control.app(key), 'there is no such application');
  };
}

function found(response: ServerResponse, value: object | null, otherwise: string): void {
  if (value === null) answerJson(response, 404, { error: otherwise });
  else answerJson(response, 200, value);
}

function* named(views: Iterable<CertificateView>, name: string): Generator<CertificateView> {
  for (const view of views) if (view.name === name) yield view;
}

function shownEntry({ body, bodyBytes, at, ...entry }: QuarantineView): object {
  const shown = shownBody(body, bodyBytes);
  // Not under `body`: that name is one that adminJson never lets through as text.
  return { ...entry, at: new Date(at).toISOString(), content: shown };
}

/** As the table keeps host names: lower-case, no port, no trailing dot. */
function normalHost(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '');
}

function wholeNumber(text: string, least: number, most: number): number | null {
  if (!/^\d{1,15}$/.test(text)) return null;
  const value = Number(text);
  return value >= least && value <= most ? value : null;
}
