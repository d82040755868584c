/** A file of events, played from the first to the last, as a picture: what they come to is all there is. */
import { readFile, stat } from 'node:fs/promises';
import { splitEvents } from '../spi/split-events.ts';
import type { Picture } from './picture.ts';
import { createPictureBuilder } from './picture-builder.ts';

const MAX_FILE_BYTES = 256 * 1_048_576;
const MAX_EVENTS = 5_000_000;

/** JSON (an event or a list of them) or YAML documents. Rejects with the system's error, or `SOURCES_...`. */
export async function readEventsFile(file: string): Promise<Picture> {
  const { size } = await stat(file);
  if (size > MAX_FILE_BYTES)
    throw new Error(`SOURCES_TOO_LARGE: ${file} has more than ${MAX_FILE_BYTES} bytes`);
  const split = splitEvents(await readFile(file), MAX_EVENTS);
  if (!split.ok) throw new Error(`${split.rejection.code}: ${file}: ${split.rejection.reason}`);
  const builder = createPictureBuilder();
  for (const [n, { body, refused }] of split.events.entries()) {
    const where = `${file}, event ${n + 1}`;
    if (refused === null) builder.add(body, where);
    else builder.problem({ ...refused, where });
  }
  return builder.finish(`file:${file}`, { knowsDetails: true, doubtsEmpty: false });
}
