import { FewMap } from './few-map.ts';

/** A set of a few entries that come and go by the ten thousand a second: few-map.ts says why it is no `Set`. */
export class FewSet<T> implements Set<T> {
  readonly [Symbol.toStringTag] = 'FewSet';
  readonly #map = new FewMap<T, T>();

  get size(): number {
    return this.#map.size;
  }

  has(value: T): boolean {
    return this.#map.has(value);
  }

  add(value: T): this {
    this.#map.set(value, value);
    return this;
  }

  delete(value: T): boolean {
    return this.#map.delete(value);
  }

  clear(): void {
    this.#map.clear();
  }

  /** As FewMap's. */
  forEach(visit: (value: T, same: T, set: Set<T>) => void, self?: unknown): void {
    for (const value of this.keys()) visit.call(self, value, value, this);
  }

  entries(): SetIterator<[T, T]> {
    return this.#map.entries();
  }

  keys(): SetIterator<T> {
    return this.#map.keys();
  }

  values(): SetIterator<T> {
    return this.#map.keys();
  }

  [Symbol.iterator](): SetIterator<T> {
    return this.#map.keys();
  }
}
