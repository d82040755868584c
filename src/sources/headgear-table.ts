/** The table of a Headgear (another one, or our own), as its admin listener shows it. */
import type { AppView } from '../table/describe.ts';
import { getJson } from './bounded-get.ts';
import { eventBody } from './event-bodies.ts';
import type { Picture } from './picture.ts';
import { createPictureBuilder } from './picture-builder.ts';

/** What a picture is held against: the application as it is here. */
export type OwnApp = Pick<
  AppView,
  'key' | 'appName' | 'namespace' | 'endpoints' | 'aliases' | 'plainName' | 'haName'
>;

export interface OwnTable {
  readonly generation: number;
  readonly apps: ReadonlyMap<string, OwnApp>;
}

const TIMEOUT_MS = 120_000;
/** V8 holds no longer text than 512 MiB. */
const MAX_TABLE_BYTES = 400 * 1_048_576;
const MAX_APP_BYTES = 32 * 1_048_576;

/** One snapshot of the whole table. Rejects with `SOURCES_...`. */
export async function readTable(admin: URL): Promise<OwnTable> {
  const answer = await getJson(new URL('/table', admin), {
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_TABLE_BYTES,
  });
  const { apps, generation } = (answer ?? {}) as { apps?: unknown; generation?: unknown };
  if (!Array.isArray(apps) || typeof generation !== 'number')
    throw new Error(`SOURCES_NOT_UNDERSTOOD: ${admin.host} is not the admin listener of a Headgear`);
  const own = new Map<string, OwnApp>();
  for (const app of apps as OwnApp[]) {
    if (typeof app?.key !== 'string' || !Array.isArray(app.endpoints) || !Array.isArray(app.aliases))
      throw new Error(`SOURCES_NOT_UNDERSTOOD: an application of ${admin.host} is not as it should be`);
    own.set(app.key, app);
  }
  return { generation, apps: own };
}

/** One application as it is now; null: there is none. */
export async function readOwnApp(admin: URL, key: string): Promise<OwnApp | null> {
  const url = new URL(`/apps/${key}`, admin);
  try {
    return (await getJson(url, { timeoutMs: TIMEOUT_MS, maxBytes: MAX_APP_BYTES })) as OwnApp;
  } catch (error) {
    if (error instanceof Error && /^SOURCES_STATUS: .* 404$/.test(error.message)) return null;
    throw error;
  }
}

/** A peer's table as a picture; its certificates stay where they are, because admin shows no keys. */
export async function readPeer(admin: URL): Promise<Picture> {
  const { apps } = await readTable(admin);
  const builder = createPictureBuilder();
  for (const { key, appName, namespace, endpoints, aliases, ...more } of apps.values()) {
    const app = { appName, namespace };
    const { scalable = null, ha = null } = more as { scalable?: boolean | null; ha?: boolean | null };
    builder.add(eventBody({ action: 'create_application', app, scalable, ha }), key);
    for (const endpoint of endpoints)
      builder.add(eventBody({ action: 'add_public_endpoint', app, endpoint }), key);
    for (const { alias, announced } of aliases)
      if (announced) builder.add(eventBody({ action: 'add_alias', app, alias }), key);
  }
  return builder.finish(`headgear:${admin.host}`, { knowsDetails: true, doubtsEmpty: false });
}
