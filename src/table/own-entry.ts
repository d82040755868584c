/** Looking up what events name in what an operator configured. */

/**
 * The entry of that name, never one that the object inherits: an event's text must not reach Object.prototype. Most such records are empty, which
 * is seen before V8 has to intern the name.
 */
export function ownEntry<Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined {
  for (const _ in record) return Object.hasOwn(record, name) ? record[name] : undefined;
  return undefined;
}
