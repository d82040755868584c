/** OpenShift's REST as a picture: applications with their aliases, and the endpoints of each (domain.md 1.5). */
import { UNKNOWN_GEAR } from '../spi/names.ts';
import { type GetOptions, getJson } from './bounded-get.ts';
import type { Picture } from './picture.ts';
import { createPictureBuilder, type PictureBuilder } from './picture-builder.ts';

export interface OpenShiftOptions {
  /** Up to and with `/broker/rest`. */
  readonly url: URL;
  /** Value of the Authorization header; null: none. */
  readonly authorization: string | null;
  readonly ca?: string | undefined;
  readonly timeoutMs?: number;
  readonly onProgress?: (done: number, total: number) => void;
}

const TIMEOUT_MS = 60_000;
const MAX_LIST_BYTES = 128 * 1_048_576;
const MAX_GROUPS_BYTES = 8 * 1_048_576;
const MAX_APPLICATIONS = 1_000_000;
/** Each question makes the broker ask the nodes: more at a time would be felt by its users. */
const CONCURRENCY = 4;

type Fields = Readonly<Record<string, unknown>>;

/**
 * What the user of `authorization` may see, which is not everything for everybody: what is missing is no proof that it is gone. Rejects
 * (`SOURCES_...`) when any part cannot be read, because half a picture would look like deletions.
 */
export async function readOpenShift(options: OpenShiftOptions): Promise<Picture> {
  const { url, authorization, ca, timeoutMs = TIMEOUT_MS } = options;
  const base = url.href.replace(/\/+$/, '');
  const headers = authorization === null ? {} : { Authorization: authorization };
  const ask = (path: string, limits: Pick<GetOptions, 'maxBytes'>): Promise<readonly Fields[]> =>
    getJson(new URL(`${base}${path}`), { headers, ca, timeoutMs, ...limits }).then((answer) =>
      dataOf(answer, path),
    );
  const builder = createPictureBuilder();
  const applications = await ask('/applications?nolinks=true', { maxBytes: MAX_LIST_BYTES });
  if (applications.length > MAX_APPLICATIONS)
    throw new Error(`SOURCES_TOO_LARGE: more than ${MAX_APPLICATIONS} applications`);
  const waiting = applications.entries();
  let done = 0;
  const work = async (): Promise<void> => {
    for (const [, application] of waiting) {
      await addApplication(application, ask, builder);
      done += 1;
      options.onProgress?.(done, applications.length);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return builder.finish(`openshift:${url.host}`, { knowsDetails: true, doubtsEmpty: true });
}

async function addApplication(
  application: Fields,
  ask: (path: string, limits: Pick<GetOptions, 'maxBytes'>) => Promise<readonly Fields[]>,
  builder: PictureBuilder,
): Promise<void> {
  const [name, namespace] = [application.name, application.domain_id];
  if (!isPart(name) || !isPart(namespace))
    throw new Error('SOURCES_NOT_UNDERSTOOD: an application of the list has no name or no domain_id');
  const where = `${namespace}/${name}`;
  const head = { app_name: name, namespace };
  const add = (fields: Fields): void =>
    builder.add(Buffer.from(JSON.stringify({ ...head, ...fields })), where);
  const scalable = typeof application.scalable === 'boolean' ? application.scalable : null;
  add({ action: 'create_application', scalable, ha: null });
  for (const one of arrayOf(application.aliases)) {
    // Before API 1.4 an alias is its name alone.
    const alias = typeof one === 'string' ? one : (one as Fields | null)?.id;
    add({ action: 'add_alias', alias });
  }
  // Nothing is exposed (domain.md 1.3), and there is nothing to ask for.
  if (scalable === false) return;
  const path = `/domain/${namespace}/application/${name}/gear_groups?include=endpoints&nolinks=true`;
  for (const group of await ask(path, { maxBytes: MAX_GROUPS_BYTES })) {
    for (const gear of arrayOf(group.gears) as readonly (Fields | null)[]) {
      for (const endpoint of arrayOf(gear?.endpoints) as readonly (Fields | null)[])
        addEndpoint(gear?.id, endpoint, add);
    }
  }

  function addEndpoint(id: unknown, endpoint: Fields | null, put: (fields: Fields) => void): void {
    if (endpoint === null || endpoint.types === undefined) {
      const reason =
        'an endpoint comes without its types: this broker is too old to reconcile endpoints with';
      throw new Error(`SOURCES_NOT_UNDERSTOOD: ${where}: ${reason}`);
    }
    put({
      action: 'add_public_endpoint',
      // With predictable ids this is not the one that the events carry; then nobody knows it.
      gear_id: typeof id === 'string' && /^[0-9a-f]{24}$/.test(id) ? id : UNKNOWN_GEAR,
      public_port_name: endpoint.cartridge_name,
      public_address: endpoint.external_address,
      public_port: endpoint.external_port,
      protocols: endpoint.protocols,
      types: endpoint.types,
      mappings: endpoint.mappings,
    });
  }
}

/** It becomes part of a path: nothing but what OpenShift allows. */
function isPart(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9]{1,64}$/.test(value);
}

function arrayOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function dataOf(answer: unknown, path: string): readonly Fields[] {
  const data = (answer as { data?: unknown } | null)?.data;
  const isList = Array.isArray(data) && data.every((entry) => typeof entry === 'object' && entry !== null);
  if (!isList) throw new Error(`SOURCES_NOT_UNDERSTOOD: ${path.split('?', 1)[0]} holds no list of data`);
  return data as readonly Fields[];
}
