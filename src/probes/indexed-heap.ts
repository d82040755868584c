/** A binary min-heap by time whose items know their place, so that any of them can be taken out at once. */

/** `at` must not change while the item is in a heap; `place` belongs to the heap (-1: in none). */
export interface Timed {
  at: number;
  place: number;
}

export interface IndexedHeap<T extends Timed> {
  readonly size: number;
  /** The item with the least `at`, or undefined. */
  first(): T | undefined;
  add(item: T): void;
  /** Does nothing when the item is not in this heap. */
  remove(item: T): void;
}

/** add and remove cost O(log n). An item may be in one heap at a time. */
export function createIndexedHeap<T extends Timed>(): IndexedHeap<T> {
  const items: T[] = [];
  const put = (item: T, place: number) => {
    items[place] = item;
    item.place = place;
  };
  const rise = (item: T, from: number): number => {
    let place = from;
    while (place > 0) {
      const up = (place - 1) >> 1;
      const parent = items[up];
      if (!parent || parent.at <= item.at) break;
      put(parent, place);
      place = up;
    }
    put(item, place);
    return place;
  };
  const sink = (item: T, from: number): void => {
    let place = from;
    for (;;) {
      const left = items[place * 2 + 1];
      const right = items[place * 2 + 2];
      const child = left && right && right.at < left.at ? right : left;
      if (!child || child.at >= item.at) break;
      const down = child.place;
      put(child, place);
      place = down;
    }
    put(item, place);
  };
  return {
    get size() {
      return items.length;
    },
    first: () => items[0],
    add(item) {
      items.push(item);
      rise(item, items.length - 1);
    },
    remove(item) {
      const place = item.place;
      if (place < 0 || items[place] !== item) return;
      const last = items.pop();
      item.place = -1;
      if (!last || last === item) return;
      if (rise(last, place) === place) sink(last, place);
    },
  };
}
