import type { Metrics } from '../telemetry/types.ts';
import type { KeepAwakeAnswer } from './types.ts';

/** Metrics by answer, never by application: nothing to clean up when one goes. */
export function countAnswers(
  metrics: Metrics,
  schedule: { readonly waiting: number; readonly running: number },
) {
  const total = metrics.counter('keep_awake_probes_total', 'Keep-awake visits by answer', ['answer']);
  const latest = metrics.gauge('keep_awake_targets', 'Proxy gears by their latest keep-awake answer', [
    'answer',
  ]);
  const waiting = metrics.gauge('keep_awake_waiting', 'Keep-awake visits that are due but not begun');
  const running = metrics.gauge('keep_awake_running', 'Keep-awake visits under way');
  const now: Record<KeepAwakeAnswer, number> = { awake: 0, waking: 0, 'not-here': 0, unreachable: 0, odd: 0 };
  metrics.onCollect(() => {
    for (const [answer, number] of Object.entries(now)) latest.set(number, { answer });
    waiting.set(schedule.waiting);
    running.set(schedule.running);
  });
  return {
    answered(former: KeepAwakeAnswer | null, answer: KeepAwakeAnswer) {
      total.inc({ answer });
      if (former) now[former]--;
      now[answer]++;
    },
    forgotten(former: KeepAwakeAnswer) {
      now[former]--;
    },
  };
}
