/** A request as it goes upstream: first line, kept fields, ours, framing. From the bytes it came in where it can, else as text. */
import type { Forwarder, Forwarding } from '../http/forwarding.ts';
import type { HeadBytes } from '../http/head-bytes.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { RequestContext } from '../telemetry/request-context.ts';
import type { ExchangeRequest } from '../upstream/exchange.ts';
import type { Pieces } from '../upstream/pieces.ts';

/** Upgrade tokens that must not pass: with h2c the gear would speak a protocol that we then no longer see into. */
const UPGRADE_NOT_PASSED = /(?:^|[\s,])(?:h2c|h2|tls)/i;

/** The request as text; `host` in normal form. */
export function upstreamRequest(head: RequestHead, forwarding: Forwarding, host: string): ExchangeRequest {
  const asksUpgrade = mayUpgrade(head);
  return {
    method: head.method,
    servername: host,
    body: bodyOf(head),
    asksUpgrade,
    upgrade: head.upgrade,
    head: headText(head, forwarding.lines, asksUpgrade),
  };
}

function bodyOf(head: RequestHead): ExchangeRequest['body'] {
  if (head.chunked) return 'chunked';
  return head.contentLength > 0 ? 'length' : 'none';
}

function mayUpgrade(head: RequestHead): boolean {
  return head.upgrade !== '' && bodyOf(head) === 'none' && !UPGRADE_NOT_PASSED.test(head.upgrade);
}

function headText(head: RequestHead, forwarding: string, asksUpgrade: boolean): string {
  return `${head.method} ${head.target} HTTP/1.1\r\n${head.kept}${ownLines(head, asksUpgrade)}${forwarding}\r\n`;
}

function ownLines(head: RequestHead, asksUpgrade: boolean): string {
  if (head.chunked) return 'Transfer-Encoding: chunked\r\n';
  return asksUpgrade ? `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n` : '';
}

/** The same, put together only when it is asked for: nearly every request goes out once, from the bytes it came in. */
export class ForwardedRequest implements ExchangeRequest {
  readonly method: string;
  readonly servername: string;
  readonly body: ExchangeRequest['body'];
  readonly asksUpgrade: boolean;
  readonly upgrade: string;
  readonly #head: RequestHead;
  readonly #forwarder: Forwarder;
  readonly #startedAtUs: number;
  #wire: HeadBytes | null;
  #text = '';

  /** Notes in `context`, whose host is known by now, who the client is. */
  constructor(head: RequestHead, forwarder: Forwarder, context: RequestContext) {
    this.method = head.method;
    this.servername = context.host;
    this.body = bodyOf(head);
    this.asksUpgrade = mayUpgrade(head);
    this.upgrade = head.upgrade;
    this.#head = head;
    this.#forwarder = forwarder;
    this.#startedAtUs = context.startedAtUs;
    const isPlain = forwarder.isPlain(head);
    this.#wire = isPlain ? head.wire : null;
    if (!isPlain) context.clientAddress = this.#compose();
  }

  get head(): string {
    if (this.#text === '') this.#compose();
    return this.#text;
  }

  headTo(pieces: Pieces): boolean {
    const wire = this.#wire;
    if (wire === null) return false;
    wire.linesTo(pieces);
    pieces.text(ownLines(this.#head, this.asksUpgrade));
    pieces.bytes(this.#forwarder.endOfHead(this.#head.host, this.#startedAtUs));
    return true;
  }

  /** The bytes are about to be others': from now on the head is text. */
  leaveBytes(): void {
    this.#wire = null;
  }

  /** Returns the client's address. */
  #compose(): string {
    const { lines, clientAddress } = this.#forwarder.of(this.#head, this.#startedAtUs);
    this.#text = headText(this.#head, lines, this.asksUpgrade);
    return clientAddress;
  }
}
