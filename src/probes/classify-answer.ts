/** What a node frontend's answer to a keep-awake probe means (domain.md 4 and 6). Pure. */
import type { KeepAwakeAnswer } from './types.ts';

export interface FrontendAnswer {
  readonly status: number;
  /** As sent, or null. */
  readonly location: string | null;
  /** The beginning of the body. */
  readonly body: string;
}

export interface Classified {
  readonly answer: KeepAwakeAnswer;
  /** One short line for people, safe to print: no control characters. */
  readonly detail: string;
}

/**
 * Judges by status and Location. The redirect of the idler goes to the URL that was asked for, with the node's own idea of the
 * scheme; the one for an unknown Host goes to `/getting_started.html`. 200 is enough for "awake": the idler counts any logged
 * request, so a body other than `1` is only remarked on.
 */
export function classifyAnswer(asked: { host: string; path: string }, given: FrontendAnswer): Classified {
  if (given.status === 200) {
    const remark = asked.path === '/health' && given.body.trim() !== '1' ? ', but not the health page' : '';
    return { answer: 'awake', detail: `200${remark}` };
  }
  if (given.status === 302 && given.location !== null) {
    const place = printable(given.location);
    const target = parseUrl(given.location, asked.host);
    const self = parseUrl(asked.path, asked.host);
    if (target === null || self === null) return { answer: 'odd', detail: `302 to ${place}` };
    if (target.path.endsWith('/getting_started.html'))
      return { answer: 'not-here', detail: `302 to ${place}: this node does not have the name` };
    if (target.host === self.host && target.whole === self.whole)
      return { answer: 'waking', detail: '302 to the same URL: the idler is restoring it' };
    return { answer: 'odd', detail: `302 to ${place}` };
  }
  const place = given.location === null ? '' : ` to ${printable(given.location)}`;
  return { answer: 'odd', detail: `${given.status}${place}` };
}

/** Text that a stranger sent, made fit for one log line. */
export function printable(text: string): string {
  const plain = text.replace(/[^\x20-\x7e]/g, '?');
  return plain.length > 120 ? `${plain.slice(0, 117)}...` : plain;
}

function parseUrl(reference: string, host: string) {
  // URL.parse is newer than Node 20.
  if (!URL.canParse(reference, `http://${host}`)) return null;
  const url = new URL(reference, `http://${host}`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null;
  return { host: url.hostname, path: url.pathname, whole: url.pathname + url.search };
}
