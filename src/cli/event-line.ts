/** One event of the control loop as one line for people. */
import type { EventReport, Outcome } from '../control/types.ts';

const COLOURS: Readonly<Record<Outcome, string>> = {
  applied: '\x1b[32m',
  unchanged: '\x1b[2m',
  ignored: '\x1b[2m',
  quarantined: '\x1b[31m',
  refused: '\x1b[31m',
};
const PLAIN = '\x1b[0m';

/** E.g. `12:00:00Z applied     add_alias shop/store www.example.com (generation 7, 3 ms)`. */
export function eventLine(report: EventReport, colour: boolean): string {
  const outcome = plain(report.outcome).padEnd(11);
  const words = [
    plain(new Date(report.at).toISOString().slice(11, 19)),
    'Z ',
    colour ? `${COLOURS[report.outcome] ?? ''}${outcome}${PLAIN}` : outcome,
    ` ${plain(report.action ?? '-')} ${plain(report.app ?? '-')}`,
    report.subject === '' ? '' : ` ${plain(report.subject)}`,
    ` (generation ${Number(report.generation)}, ${Math.round(Number(report.lagMs))} ms)`,
    report.code === '' ? '' : ` ${plain(report.code)}: ${plain(report.reason)}`,
    ...report.notes.map((note) => `; ${plain(note)}`),
  ];
  return words.join('');
}

/**
 * The report as JSON in ASCII. Events come from whoever may write to the message bus, and a terminal obeys more than ESC:
 * C1 controls, bidirectional marks.
 */
export function eventJson(report: EventReport): string {
  return asciiJson(JSON.stringify(report));
}

/** JSON with escapes for all that is not printable ASCII (or a line end). */
export function asciiJson(json: string): string {
  return json.replace(
    /[^\x20-\x7e\n]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Text of strangers for a terminal. */
export function plain(text: string): string {
  return String(text).replace(/[^\x20-\x7e]/g, '?');
}
