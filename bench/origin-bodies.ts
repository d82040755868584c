/** What the origin answers. */
const LINE = 'All heads wear the same hat. ';

/** What `/` answers: 1 KiB. */
export const ORIGIN_BODY = bodyOf(1_024).toString('latin1');

/** The greater ones, by path. */
export const BODIES: ReadonlyMap<string, Buffer> = new Map([
  ['/64k', bodyOf(65_536)],
  ['/10m', bodyOf(10_485_760)],
]);

function bodyOf(bytes: number): Buffer {
  const body = Buffer.alloc(bytes, LINE);
  body[bytes - 1] = 0x0a;
  return body;
}
