/** Things of which some come and go with every request: a Set would hash each of them twice a request and make its table anew now and then. */

export interface Placed {
  /** Where it stands in its list, -1 in none. For the list only. */
  place: number;
}

export class PlacedList<T extends Placed> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** In no order; what is added or taken out meanwhile does not change it. */
  all(): readonly T[] {
    return [...this.#items];
  }

  add(item: T): void {
    if (item.place >= 0) return;
    item.place = this.#items.length;
    this.#items.push(item);
  }

  delete(item: T): void {
    const { place } = item;
    if (place < 0) return;
    item.place = -1;
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    this.#items[place] = last;
    last.place = place;
  }
}
