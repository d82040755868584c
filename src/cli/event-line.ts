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
  const outcome = clean(report.outcome).padEnd(11);
  const words = [
    clean(new Date(report.at).toISOString().slice(11, 19)),
    'Z ',
    colour ? `${COLOURS[report.outcome] ?? ''}${outcome}${PLAIN}` : outcome,
    ` ${clean(report.action ?? '-')} ${clean(report.app ?? '-')}`,
    report.subject === '' ? '' : ` ${clean(report.subject)}`,
    ` (generation ${Number(report.generation)}, ${Math.round(Number(report.lagMs))} ms)`,
    report.code === '' ? '' : ` ${clean(report.code)}: ${clean(report.reason)}`,
    ...report.notes.map((note) => `; ${clean(note)}`),
  ];
  return words.join('');
}

/**
 * The report as JSON in ASCII. Events come from whoever may write to the message bus, and a terminal obeys more than ESC:
 * C1 controls, bidirectional marks.
 */
export function eventJson(report: EventReport): string {
  return JSON.stringify(report).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function clean(text: string): string {
  return String(text).replace(/[^\x20-\x7e]/g, '?');
}
