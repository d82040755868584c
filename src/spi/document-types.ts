/** Text, null, list or map. Maps are real Maps, so that no key can reach a prototype; keys come without a symbol's colon. */
export type PlainValue = string | null | readonly PlainValue[] | PlainRecord;
export interface PlainRecord extends ReadonlyMap<string, PlainValue> {}
