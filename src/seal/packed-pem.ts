/**
 * PEM as bytes: a quarter smaller, and so 100,000 certificates take one page of the store each where they took two, and as much less memory.
 * Only what comes back to the very letter is packed.
 */

export interface Pem {
  readonly chainPem: string;
  readonly keyPem: string;
}

/** No PEM begins with it. */
const MARK = 1;
/** By number, as they are packed: never to be reordered. */
const LABELS: readonly string[] = ['CERTIFICATE', 'PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY'];
/** Number of the label, and length. */
const BLOCK_HEAD_BYTES = 4;
const MAX_BLOCK_BYTES = 2 ** 24 - 1;
const BLOCK = /-----BEGIN ([A-Z ]+)-----\n([A-Za-z0-9+/=\n]+)-----END [A-Z ]+-----\n/g;
const LINE_CHARS = 64;

/** Mark, number of the key's blocks, blocks; null where it would not come back as it is. */
export function packPem({ keyPem, chainPem }: Pem): Buffer | null {
  const [key, chain] = [blocksOf(keyPem), blocksOf(chainPem)];
  if (key === null || chain === null || key.length > 255) return null;
  const packed = Buffer.concat([Buffer.from([MARK, key.length]), ...key, ...chain]);
  for (const block of key) block.fill(0);
  return packed;
}

/** The same, back; null where the bytes are no packed PEM. */
export function unpackPem(bytes: Buffer): Pem | null {
  if (bytes[0] !== MARK) return null;
  const keyBlocks = bytes[1] ?? 0;
  const texts: string[] = [];
  for (let at = 2; at + BLOCK_HEAD_BYTES <= bytes.length; ) {
    const start = at + BLOCK_HEAD_BYTES;
    const end = start + bytes.readUIntBE(at + 1, 3);
    texts.push(pemOf(LABELS[bytes[at] ?? 0] ?? '', bytes.subarray(start, end)));
    at = end;
  }
  return { keyPem: texts.slice(0, keyBlocks).join(''), chainPem: texts.slice(keyBlocks).join('') };
}

function blocksOf(pem: string): Buffer[] | null {
  const blocks: Buffer[] = [];
  let text = '';
  for (const [, label = '', base64 = ''] of pem.matchAll(BLOCK)) {
    const der = Buffer.from(base64, 'base64');
    const number = LABELS.indexOf(label);
    if (number === -1 || der.length > MAX_BLOCK_BYTES) return null;
    const block = Buffer.alloc(BLOCK_HEAD_BYTES + der.length);
    block[0] = number;
    block.writeUIntBE(der.length, 1, 3);
    der.copy(block, BLOCK_HEAD_BYTES);
    blocks.push(block);
    text += pemOf(label, der);
    der.fill(0);
  }
  return text === pem ? blocks : null;
}

function pemOf(label: string, der: Buffer): string {
  const base64 = der.toString('base64');
  let lines = '';
  for (let at = 0; at < base64.length; at += LINE_CHARS) lines += `${base64.slice(at, at + LINE_CHARS)}\n`;
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}
