/** What was, and why something is: read from the journal. Certificates by fingerprint, as everywhere. */
import type { ServerResponse } from 'node:http';
import { answerJson, answerList, answerText } from './answer.ts';
import type { HistoryView } from './views.ts';

type Handler = (response: ServerResponse, query: URLSearchParams) => Promise<void>;

const MAX_CHANGES = 10_000;
/** Questions that are being answered at one time: each may read the whole journal. */
const MAX_READING = 4;

export function createHistoryRoutes(history: HistoryView): {
  readonly why: Handler;
  readonly changes: Handler;
  readonly tableAt: Handler;
} {
  let reading = 0;
  const bounded =
    (handler: Handler): Handler =>
    async (response, query) => {
      if (reading >= MAX_READING) {
        const reason = `${MAX_READING} questions about the past are being answered already; ask later.\n`;
        return answerText(response, 503, reason, { 'Retry-After': '5' });
      }
      reading += 1;
      try {
        await handler(response, query);
      } finally {
        reading -= 1;
      }
    };

  return {
    why: bounded(async (response, query) => {
      const host = query.get('host');
      if (host === null) return answerText(response, 400, 'Ask for a host: /why?host=www.example.com\n');
      answerJson(response, 200, await history.why(host));
    }),
    changes: bounded(async (response, query) => {
      const [from, to] = [timeOf(query.get('from') ?? '0'), timeOf(query.get('to') ?? '8640000000000000')];
      const limit = Number(query.get('limit') ?? '1000');
      if (from === null || to === null) return answerText(response, 400, TIMES);
      if (!Number.isInteger(limit) || limit < 1 || limit > MAX_CHANGES)
        return answerText(response, 400, `limit is 1 to ${MAX_CHANGES}.\n`);
      const { entries, cut } = await history.changes(from, to, limit);
      await answerList(response, { cut }, 'entries', entries);
    }),
    tableAt: bounded(async (response, query) => {
      const at = timeOf(query.get('at') ?? '');
      if (at === null) return answerText(response, 400, TIMES);
      const past = await history.tableAt(at);
      if (past === null) return answerText(response, 404, 'The journal does not reach back that far.\n');
      const { apps, ...head } = past;
      await answerList(response, head, 'apps', apps);
    }),
  };
}

const TIMES = 'Times are epoch milliseconds or like 2026-11-21T12:00:00Z.\n';

/** Epoch milliseconds, or null. */
function timeOf(text: string): number | null {
  const time = /^\d{1,16}$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isFinite(time) ? time : null;
}
