/** The module of a thread or a process, beside the one that starts it, in whichever form they run: TypeScript sources (Node that strips types) or built. */
export function moduleBeside(name: string, beside: string): URL {
  return new URL(`./${name}.${beside.endsWith('.ts') ? 'ts' : 'js'}`, beside);
}
