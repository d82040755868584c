/** Counts events of one kind within a window of time: what a client may do now and then, but not by the thousand. */

export interface EventBudget {
  /** Takes one event at `now` (milliseconds); false when there were more than the limit within the window. */
  spend(now: number): boolean;
}

/**
 * A budget of `limit` events that fills again over `windowMs`. A bucket and not a list of times: it costs two numbers a connection,
 * however many events come.
 */
export function createEventBudget(limit: number, windowMs: number): EventBudget {
  let left = limit;
  let filledAt = 0;
  return {
    spend(now) {
      left = Math.min(limit, left + ((now - filledAt) * limit) / windowMs);
      filledAt = now;
      left -= 1;
      return left >= 0;
    },
  };
}
