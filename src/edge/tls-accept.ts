/**
 * TLS on an accepted socket: the ClientHello is read first, the name's own context chosen, and only then does TLS start, on the same
 * bytes. Not SNICallback: with it every name shares the first context's ticket keys, so sessions resume under other names and after a
 * certificate was replaced, and client certificates cannot be asked for by name.
 *
 * Versions, ciphers and ticket keys belong to the context (see certificates/); what is here is the connection's own.
 */
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import type { ClientDemand } from '../certificates/client-demands.ts';
import { isMissingCertificate, onMissingCertificate, verificationOf } from './ask-certificate.ts';
import { type ClientHello, ClientHelloReader } from './client-hello.ts';
import { endLingering } from './end-lingering.ts';
import { readInto } from './read-into.ts';
import { receive, staple } from './tls-handle.ts';

export interface TlsMeans {
  readonly context: SecureContext;
  /** The OCSP response of the context's certificate; null: none. OpenSSL sends it where the client asks (RFC 6066 section 8). */
  readonly staple?: Buffer | null;
  /** What is asked of the client besides; default: nothing. */
  readonly demand?: ClientDemand | null;
}

export interface TlsAcceptOptions {
  /** The context for what the client asks for and can do; null refuses the connection. */
  readonly contextFor: (hello: ClientHello) => TlsMeans | null;
  /**
   * What takes the connection over undecrypted, if the name is one of those; `bytes` are the hello and what came behind it. Then neither
   * of the callbacks is called, and the socket (paused, without any of our listeners) is its new owner's. A client without a name is
   * never asked about.
   */
  readonly passThrough?: (serverName: string) => ((socket: Socket, bytes: Buffer) => void) | null;
  /** From the first look at the socket to the end of the handshake, in all: a trickle of bytes does not prolong it. */
  readonly handshakeTimeoutMs: number;
  /** In the server's order of preference, as `alpnList` writes them; default http/1.1. */
  readonly alpnProtocols?: Buffer;
}

/** What is known of a connection when TLS is up. */
export interface SecureFacts {
  /** As in the hello, in normal form. `tlsSocket.servername` is not to be used: it is `false` after a TLS 1.2 resumption. */
  readonly serverName: string | null;
  /** Null where the client spoke no ALPN. */
  readonly alpnProtocol: string | null;
  readonly hello: ClientHello;
  /** What was asked of the client. Whether it was met is for the caller to judge: Node lets every certificate pass. */
  readonly demand: ClientDemand | null;
}

export type TlsFailureCode =
  | 'EDGE_TLS_PLAIN_HTTP'
  | 'EDGE_TLS_HELLO_INVALID'
  | 'EDGE_TLS_UNKNOWN_NAME'
  | 'EDGE_TLS_TIMEOUT'
  | 'EDGE_TLS_ABORTED'
  | 'EDGE_TLS_NO_CLIENT_CERTIFICATE'
  | 'EDGE_TLS_HANDSHAKE';

export type OnSecure = (socket: TLSSocket, facts: SecureFacts) => void;
/** `reason` is for people: ours, or OpenSSL's name of the fault; never the client's text. `serverName` as far as it is known. */
export type OnTlsFailure = (code: TlsFailureCode, reason: string, serverName: string | null) => void;

const HTTP_1_1 = alpnList(['http/1.1']);
const ALERT_DECODE_ERROR = 50;
const ALERT_UNRECOGNIZED_NAME = 112;

const PLAIN_HTTP_BODY = 'This port speaks HTTPS; the request came as plain HTTP.\n';
const PLAIN_HTTP_ANSWER = Buffer.from(
  `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${PLAIN_HTTP_BODY.length}\r\nConnection: close\r\n\r\n${PLAIN_HTTP_BODY}`,
);

/**
 * Takes over a connected socket nobody reads yet. Exactly one of the two callbacks is called, once. After `onFailure` the
 * socket is closed or about to be; nothing remains to be done. After `onSecure` the TLS socket is the caller's, `error` and `close`
 * included; it inherits the socket's allowHalfOpen.
 */
export function acceptTls(
  socket: Socket,
  options: TlsAcceptOptions,
  onSecure: OnSecure,
  onFailure: OnTlsFailure,
): void {
  /** Let go of with the hello: it holds its bytes. */
  let reader: ClientHelloReader | null = new ClientHelloReader();
  let tlsSocket: TLSSocket | null = null;
  let settled = false;
  let serverName: string | null = null;
  // Timers of one duration cost Node a list entry each, so every connection can afford its own.
  const timer = setTimeout(
    () => fail('EDGE_TLS_TIMEOUT', 'the handshake took too long'),
    options.handshakeTimeoutMs,
  );

  socket.on('error', onSocketError);
  socket.on('close', onSocketClose);
  socket.on('end', onSocketEnd);
  // What lay in the socket before (behind a PROXY header, say) still comes as data.
  const comesAsData = !readInto(socket, onView) || socket.readableLength > 0;
  if (comesAsData) socket.on('data', onData);
  socket.resume();

  /** The view is everybody's. Once the hello is whole, who has the socket then (who passes it on, or the last look at it) reads it as ever. */
  function onView(view: Buffer): boolean {
    const bytes = Buffer.from(view);
    if (reader === null) return socket.push(bytes);
    onData(bytes);
    return true;
  }

  function onData(chunk: Buffer): void {
    if (reader === null) return;
    const read = reader.push(chunk);
    if (read.kind === 'incomplete') return;
    const { bytes } = reader;
    reader = null;
    if (comesAsData) socket.off('data', onData);
    socket.off('end', onSocketEnd);
    if (read.kind === 'hello') serverName = read.serverName;
    if (read.kind === 'invalid') refuseBytes(bytes, read.reason);
    else if (!passOn(bytes)) startTls(bytes, read);
  }

  function passOn(bytes: Buffer): boolean {
    const takeOver = serverName === null ? null : (options.passThrough?.(serverName) ?? null);
    if (takeOver === null || !settle()) return false;
    socket.off('error', onSocketError);
    socket.off('close', onSocketClose);
    socket.pause();
    takeOver(socket, bytes);
    return true;
  }

  function startTls(bytes: Buffer, hello: ClientHello): void {
    const chosen = options.contextFor(hello);
    if (chosen === null) {
      refuse(
        'EDGE_TLS_UNKNOWN_NAME',
        'no certificate for this name, or for a client without one',
        alert(ALERT_UNRECOGNIZED_NAME),
      );
      return;
    }
    // What else lies in the socket's buffer is for TLS. Where nothing can lie there, a pause would only take the socket out of the poll.
    if (comesAsData) socket.pause();
    const secured = new TLSSocket(socket, {
      isServer: true,
      secureContext: chosen.context,
      ...verificationOf(chosen.demand),
      ALPNProtocols: options.alpnProtocols ?? HTTP_1_1,
    });
    tlsSocket = secured;
    if (chosen.staple) staple(secured, chosen.staple);
    // Node tells a TLSSocket without a tls.Server of faults by this event alone, also after the handshake (a forged record, say).
    secured.on('_tlsError', (error: Error) => secured.destroy(error));
    if (chosen.demand?.mode === 'require') onMissingCertificate(secured, refuseWithoutCertificate);
    secured.once('error', onHandshakeError);
    secured.once('end', onHandshakeEnd);
    secured.once('secure', () => onHandshakeDone(secured, hello, chosen.demand ?? null));
    receive(secured, socket, bytes);
  }

  function onHandshakeDone(secured: TLSSocket, hello: ClientHello, demand: ClientDemand | null): void {
    if (!settle()) return;
    secured.off('error', onHandshakeError);
    secured.off('end', onHandshakeEnd);
    socket.off('close', onSocketClose);
    // tls.Server does this too; node:http2 waits for ever on a socket that says it is still connecting.
    (secured as { secureConnecting?: boolean }).secureConnecting = false;
    const protocol = secured.alpnProtocol;
    onSecure(secured, {
      serverName: hello.serverName,
      alpnProtocol: typeof protocol === 'string' ? protocol : null,
      hello,
      demand,
    });
  }

  function refuseBytes(bytes: Buffer, reason: string): void {
    const first = bytes[0] ?? 0;
    // No TLS record type is a capital letter; every HTTP method begins with one.
    if (first >= 0x41 && first <= 0x5a) {
      refuse('EDGE_TLS_PLAIN_HTTP', 'plain HTTP on the TLS port', PLAIN_HTTP_ANSWER);
    } else if (first === 22) refuse('EDGE_TLS_HELLO_INVALID', reason, alert(ALERT_DECODE_ERROR));
    else fail('EDGE_TLS_HELLO_INVALID', reason);
  }

  /** Says why in bytes, then closes when the client has, or soon. */
  function refuse(code: TlsFailureCode, reason: string, lastWords: Buffer): void {
    if (!settle()) return;
    endLingering(socket, lastWords);
    onFailure(code, reason, serverName);
  }

  /** The alert is out. In TLS 1.3 the client may have sent its request by now, so that closing at once would lose it. */
  function refuseWithoutCertificate(): void {
    if (!settle()) return;
    endLingering(socket);
    onFailure(
      'EDGE_TLS_NO_CLIENT_CERTIFICATE',
      'the client has no certificate, which this name requires',
      serverName,
    );
  }

  function fail(code: TlsFailureCode, reason: string): void {
    const first = settle();
    // The TLS socket takes the one below with it, after its own clean-up.
    (tlsSocket ?? socket).destroy();
    if (first) onFailure(code, reason, serverName);
  }

  function settle(): boolean {
    if (settled) return false;
    settled = true;
    reader = null;
    clearTimeout(timer);
    return true;
  }

  function onSocketError(): void {
    // 'close' follows; without a listener the error would end the process.
  }

  function onSocketClose(): void {
    fail('EDGE_TLS_ABORTED', 'the client left before the handshake was done');
  }

  function onSocketEnd(): void {
    fail('EDGE_TLS_ABORTED', 'the client left before its hello was complete');
  }

  function onHandshakeEnd(): void {
    fail('EDGE_TLS_ABORTED', 'the client left in the midst of the handshake');
  }

  function onHandshakeError(error: Error & { code?: string }): void {
    // A reset arrives here too, and is nobody's fault of TLS.
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE') onHandshakeEnd();
    else if (isMissingCertificate(error)) refuseWithoutCertificate();
    else fail('EDGE_TLS_HANDSHAKE', error.code ?? 'unknown');
  }
}

/** Protocols in the form of the wire (RFC 7301 section 3.1), so that it is made once and not for each connection. */
export function alpnList(protocols: readonly string[]): Buffer {
  return Buffer.concat(protocols.flatMap((protocol) => [Buffer.of(protocol.length), Buffer.from(protocol)]));
}

/** A fatal alert as a TLS record of its own (RFC 8446 section 6), for want of a TLS engine that would send it. */
export function alert(description: number): Buffer {
  return Buffer.from([21, 3, 3, 0, 2, 2, description]);
}
