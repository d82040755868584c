/** Views of a buffer into which many sockets read, one after another. */

/** Up to this length a view is made once: making one costs as much as looking at some hundred bytes. */
const KEPT_VIEWS = 4_096;

/** Returns what gives the view of the first `length` bytes of `buffer`, valid like those until the next read. */
export function viewsOf(buffer: Buffer): (length: number) => Buffer {
  const views: (Buffer | undefined)[] = new Array(KEPT_VIEWS).fill(undefined);
  return (length) => {
    if (length >= KEPT_VIEWS) return length === buffer.length ? buffer : buffer.subarray(0, length);
    let view = views[length];
    if (view === undefined) {
      view = buffer.subarray(0, length);
      views[length] = view;
    }
    return view;
  };
}
