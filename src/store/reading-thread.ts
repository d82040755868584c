/** The thread behind reading.ts: verifies the file in one pass, and hands over what it saw on the way. */
import { parentPort, workerData } from 'node:worker_threads';
import { oddityOf, type SeeRecord } from './page-check.ts';
import type { ReadMessage, ReadPart, ReadTask } from './reading.ts';
import { valueBytes } from './records.ts';
import { readCertificate } from './sealed-records.ts';
import { SLAB_BYTES } from './slabs.ts';

/** Text, which goes when it was read. */
const APPS_SLAB_BYTES = 1_048_576;
const [APPS, CERTIFICATES] = ['apps', 'sealed-certificates'];

const { path, keep } = workerData as ReadTask;
const apps = createPacker('apps', APPS_SLAB_BYTES);
const certificates = createPacker('certificates', SLAB_BYTES);

const see: SeeRecord = (table, key, bytes) => {
  if (table === APPS) apps.add(valueBytes(bytes), []);
  else if (table === CERTIFICATES && Array.isArray(key)) {
    const { id, sealed } = readCertificate(valueBytes(bytes), (part) => part);
    certificates.add(sealed, [...key, id]);
  }
};

const oddity = keep ? oddityOf(path, see, [APPS, CERTIFICATES]) : oddityOf(path);
apps.flush();
certificates.flush();
post({ kind: 'end', oddity });

/** Fills one slab after the other, and posts each that is full. */
function createPacker(kind: ReadPart['kind'], slabBytes: number) {
  let slab = new Uint8Array(new SharedArrayBuffer(0));
  let names: string[] = [];
  let ends: number[] = [];
  let used = 0;
  const flush = (): void => {
    if (ends.length > 0) post({ kind, slab: slab.buffer, ends: Uint32Array.from(ends), names });
    [names, ends, used] = [[], [], 0];
  };
  return {
    add(bytes: Uint8Array, its: readonly string[]): void {
      if (ends.length === 0 || used + bytes.length > slab.length) {
        flush();
        slab = new Uint8Array(new SharedArrayBuffer(Math.max(slabBytes, bytes.length)));
      }
      slab.set(bytes, used);
      used += bytes.length;
      ends.push(used);
      names.push(...its);
    },
    flush,
  };
}

function post(message: ReadMessage): void {
  parentPort?.postMessage(message);
}
