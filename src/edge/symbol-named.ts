/** The first own symbol of an object with this description: how Node names what it keeps inside its objects. Undefined: there is none. */
export function symbolNamed(object: object | null | undefined, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(object ?? {}).find((symbol) => symbol.description === description);
}
