/**
 * The opening handshake of WebSockets in both of its forms: an upgrade with a key and its proof in HTTP/1.1 (RFC 6455 4), an extended CONNECT
 * with neither in HTTP/2 (RFC 8441 5). Where one side has the one and the other side the other, key and proof are ours.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Http2Fields } from './http2-head.ts';
import type { ResponseHead } from './response-head.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** 16 bytes in base64 (RFC 6455 4.1). */
const KEY = /^[A-Za-z0-9+/]{22}==$/;
const KEY_FIELDS = /^sec-websocket-(?:key|accept):[^\r]*\r\n/gim;
const ACCEPT_FIELD = /(?:^|\r\n)sec-websocket-accept:[ \t]*([^\r]*?)[ \t]*\r\n/i;
const LENGTH_FIELD = /^content-length:[^\r]*\r\n/gim;
const WEBSOCKET_TOKEN = /(?:^|,)[ \t]*websocket[ \t]*(?:,|$)/i;

/** A key for one handshake. */
export function webSocketKey(): string {
  return randomBytes(16).toString('base64');
}

/** The proof that a key was read (RFC 6455 4.2.2). */
export function webSocketAccept(key: string): string {
  return createHash('sha1').update(`${key}${GUID}`).digest('base64');
}

/** Field lines of a handshake, each with its CRLF, without key and proof. */
export function withoutKeys(lines: string): string {
  return lines.replaceAll(KEY_FIELDS, '');
}

/** Whether an answer of 101 proves that the key was read. */
export function isConfirmed(answer: ResponseHead, key: string): boolean {
  return (
    answer.upgrade.toLowerCase() === 'websocket' &&
    ACCEPT_FIELD.exec(answer.kept)?.[1] === webSocketAccept(key)
  );
}

/**
 * Makes the field list of an upgrade request to the tokens `upgrade` an extended CONNECT, and returns the key that the client waits to
 * have proved. Null, and nothing changed, where it is no handshake of a WebSocket: HTTP/2 has no other upgrades.
 */
export function makeConnect(fields: Http2Fields, upgrade: string): string | null {
  const key = fields['sec-websocket-key'];
  if (typeof key !== 'string' || !KEY.test(key)) return null;
  if (fields[':method'] !== 'GET' || !WEBSOCKET_TOKEN.test(upgrade)) return null;
  fields[':method'] = 'CONNECT';
  fields[':protocol'] = 'websocket';
  for (const name of ['sec-websocket-key', 'sec-websocket-accept', 'te']) delete fields[name];
  return key;
}

/** A gear's 2xx to an extended CONNECT as the 101 that it stands for, with the proof for `key`. RFC 9110 9.3.6: its length says nothing. */
export function asSwitch(answer: ResponseHead, key: string): ResponseHead {
  const kept = withoutKeys(answer.kept).replaceAll(LENGTH_FIELD, '');
  return {
    ...answer,
    status: 101,
    statusLine: 'HTTP/1.1 101 Switching Protocols',
    kept: `${kept}Sec-WebSocket-Accept: ${webSocketAccept(key)}\r\n`,
    contentLength: -1,
    upgrade: 'websocket',
  };
}
