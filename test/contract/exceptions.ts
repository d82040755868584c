/**
 * What the second engine does otherwise than the native one, all of it. The contract suite asks here; a difference that does not
 * stand here fails it.
 */
export type EngineName = 'native' | 'http-proxy';

export const ENGINES: readonly EngineName[] = ['native', 'http-proxy'];

interface Exception {
  readonly what: string;
  readonly why: string;
}

/** Of the second engine. */
export const EXCEPTIONS = {
  FIELDS_GROUPED: {
    what: 'repetitions of a field go to the gear next to each other, in the spelling of the first; likewise Set-Cookie to the client',
    why: "Node's outgoing messages hold fields by name. The order within a name, which alone has a meaning (RFC 9110 5.3), stays.",
  },
  METHODS_OF_NODE: {
    what: 'a method that Node has no name for gets 501',
    why: "Node's parser knows a closed list of methods.",
  },
  REFUSED_UPGRADE_CLOSES: {
    what: 'after an upgrade that the gear refuses the connection closes',
    why: "Node's server lets go of a connection at an Upgrade request, before the gear is asked; there is no way back into its parser.",
  },
  HINTS_ONLY: {
    what: 'of interim answers only 100 and 103 reach the client, of a 103 only its Link fields',
    why: "Node's server writes no others.",
  },
  EXPECT_ANSWERED_HERE: {
    what: '100 Continue is said here, once a gear has taken the connection, and the gear is not asked',
    why: "Node's server and client each keep the expectation to themselves.",
  },
  NO_HTTP2: {
    what: 'clients are offered HTTP/1.1 only',
    why: "whoever chooses Node's HTTP/1.1 parser gets it for every request.",
  },
} satisfies Record<string, Exception>;

/** Whether an exception holds for an engine. */
export function excepted(engine: EngineName, _exception: keyof typeof EXCEPTIONS): boolean {
  return engine === 'http-proxy';
}
