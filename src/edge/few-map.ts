/**
 * A map of a few entries that come and go by the ten thousand a second. A `Map` or `Set` is given a new table every few entries, and V8 has
 * the old one refer to the new one, for iterators. Once such a table has become old, so do all that follow, though nobody uses them, and
 * with them what they held: so requests of HTTP/2 lived on until the next collection of the whole heap (`npm run bench -- h2`).
 * Arrays refer to no later ones. A search goes through all entries, from the latest on: through a connection's streams, 100 unless
 * configured otherwise.
 */
export class FewMap<K, V> implements Map<K, V> {
  readonly [Symbol.toStringTag] = 'FewMap';
  readonly #keys: K[] = [];
  readonly #values: V[] = [];

  get size(): number {
    return this.#keys.length;
  }

  get(key: K): V | undefined {
    const index = this.#keys.lastIndexOf(key);
    return index < 0 ? undefined : this.#values[index];
  }

  has(key: K): boolean {
    return this.#keys.includes(key);
  }

  set(key: K, value: V): this {
    const index = this.#keys.lastIndexOf(key);
    if (index >= 0) this.#values[index] = value;
    else {
      this.#keys.push(key);
      this.#values.push(value);
    }
    return this;
  }

  /** The last entry takes the place of the one that goes. */
  delete(key: K): boolean {
    const index = this.#keys.lastIndexOf(key);
    if (index < 0) return false;
    const lastKey = this.#keys.pop() as K;
    const lastValue = this.#values.pop() as V;
    if (index < this.#keys.length) {
      this.#keys[index] = lastKey;
      this.#values[index] = lastValue;
    }
    return true;
  }

  clear(): void {
    this.#keys.length = 0;
    this.#values.length = 0;
  }

  /** Of the entries that were there at the beginning, each once, unless it has gone meanwhile. */
  forEach(visit: (value: V, key: K, map: Map<K, V>) => void, self?: unknown): void {
    for (const [key, value] of this.entries()) visit.call(self, value, key, this);
  }

  *entries(): MapIterator<[K, V]> {
    const values = [...this.#values];
    for (const [index, key] of [...this.#keys].entries()) {
      // Still at its place, as nearly always, or moved: no search for each of very many.
      if (this.#keys[index] === key || this.has(key)) yield [key, values[index] as V];
    }
  }

  *keys(): MapIterator<K> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries();
  }
}
