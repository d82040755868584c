/** The thread behind reading.ts: verifies the file in one pass, and hands over what it saw on the way. */
import { parentPort, workerData } from 'node:worker_threads';
import { oddityOf, type SeeRecord } from './page-check.ts';
import type { Room } from './page-tree.ts';
import type { ReadMessage, ReadPart, ReadTask } from './reading.ts';
import { readCertificate } from './sealed-records.ts';
import { SLAB_BYTES } from './slabs.ts';

/** Text, which goes when it was read. */
const APPS_SLAB_BYTES = 1_048_576;
const [APPS, CERTIFICATES] = ['apps', 'sealed-certificates'];

const { path, keep } = workerData as ReadTask;
const apps = createPacker('apps', APPS_SLAB_BYTES);
const certificates = createPacker('certificates', SLAB_BYTES);

const see: SeeRecord = (table, key, value) => {
  if (table === APPS) apps.add(value, null);
  else if (table === CERTIFICATES && Array.isArray(key)) {
    const { id, sealed } = readCertificate(value, (part) => part);
    certificates.add(sealed, [key[0], key[1], id]);
  }
};

let hasApps = keep;
/** Once, as soon as no application follows any more. */
function endApps(): void {
  if (!hasApps) return;
  hasApps = false;
  apps.flush();
  post({ kind: 'apps-end' });
}

const roomOf = (table: string): Room | undefined => {
  if (table === APPS) return apps.room;
  // Another table begins, and applications were the first.
  endApps();
  return table === CERTIFICATES ? certificates.room : undefined;
};
const oddity = oddityOf(path, keep ? { see, roomOf, first: [APPS, CERTIFICATES] } : {});
endApps();
certificates.flush();
post({ kind: 'end', oddity });

/** Fills one slab after the other, and posts each that is full. */
function createPacker(kind: ReadPart['kind'], slabBytes: number) {
  let memory = new SharedArrayBuffer(0);
  let slab = Buffer.from(memory);
  let names: string[] = [];
  let bounds: number[] = [];
  let used = 0;
  /** Of the last certificate in this slab. */
  let lastApp = '';
  const begin = (bytes: number): void => {
    memory = new SharedArrayBuffer(bytes);
    slab = Buffer.from(memory);
  };
  const flush = (): void => {
    if (bounds.length > 0) post({ kind, slab: memory, bounds: Uint32Array.from(bounds), names });
    [names, bounds, used, lastApp] = [[], [], 0, ''];
    begin(0);
  };
  /** Behind what is there, in this slab or the next; it holds until the next `add` or `room`. */
  const room: Room = (bytes) => {
    if (used + bytes > slab.length) {
      flush();
      begin(Math.max(slabBytes, bytes));
    }
    return slab.subarray(used, used + bytes);
  };
  /** Bytes that were read to its room stay where they are. */
  const add = (bytes: Uint8Array, its: readonly [app: string, alias: string, id: string] | null): void => {
    const kept = bytes.buffer === memory ? bytes : room(bytes.length);
    if (kept !== bytes) kept.set(bytes);
    used = kept.byteOffset + kept.length;
    bounds.push(kept.byteOffset, used);
    if (its === null) return;
    const [app, alias, id] = its;
    names.push(app === lastApp ? '' : app, alias, id);
    lastApp = app;
  };
  return { room, add, flush };
}

function post(message: ReadMessage): void {
  parentPort?.postMessage(message);
}
