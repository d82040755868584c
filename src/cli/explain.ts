/** Errors in words that say what to do. */

interface SystemFacts {
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly address?: unknown;
  readonly port?: unknown;
  readonly path?: unknown;
}

/** One clear line for an expected failure; a mistake in our own code comes with its stack. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const facts = error as Error & SystemFacts;
  const where = place(facts);
  switch (facts.code) {
    case 'EADDRINUSE':
      return `${where} is in use: stop what listens there, or choose another port in the configuration`;
    case 'EADDRNOTAVAIL':
      return `${where} is no address of this machine: correct the host in the configuration`;
    case 'EAFNOSUPPORT':
      return `${where} needs IPv6, which is switched off here: set the host to 0.0.0.0`;
    case 'ECONNREFUSED':
      return `nothing listens on ${where}: is it running, and is this the right port?`;
    case 'EACCES':
    case 'EPERM':
      if (facts.syscall === 'listen' || facts.syscall === 'bind') {
        return `${where} may not be opened by this user: choose a port above 1023, or give the service CAP_NET_BIND_SERVICE`;
      }
      return `${where} may not be used by this user: permission denied`;
    case 'ENOENT':
      return `${where} does not exist`;
    default:
      return isBug(error) ? (error.stack ?? error.message) : error.message;
  }
}

function place({ address, port, path }: SystemFacts): string {
  if (typeof path === 'string') return path;
  if (typeof port !== 'number') return 'the address';
  if (typeof address !== 'string' || address === '' || address === '::' || address === '0.0.0.0')
    return `port ${port}`;
  return `port ${port} on ${address}`;
}

function isBug(error: Error): boolean {
  const named = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  return named && !('code' in error);
}
