/** `--from KIND:PLACE` -> a picture. */
import { DEFAULT_POOL_NAME } from '../config/routing-daemon.ts';
import { readEventsFile } from '../sources/events-file.ts';
import { type OwnApp, readPeer } from '../sources/headgear-table.ts';
import { withCertificates } from '../sources/nginx-events.ts';
import { readNginxFolder } from '../sources/nginx-folder.ts';
import { readOpenShift } from '../sources/openshift-rest.ts';
import type { Picture } from '../sources/picture.ts';
import { appKeyOf } from '../spi/events.ts';
import { type Io, UsageError } from './command.ts';
import { showProgress } from './progress.ts';

export interface Access {
  readonly user: string | undefined;
  readonly ca: string | undefined;
  readonly poolName: string | undefined;
  /** Our table: it knows which names are no aliases. */
  readonly own: ReadonlyMap<string, OwnApp>;
}

/** Rejects with the reason when the source cannot be read to its end. */
export async function pictureFrom(from: string, access: Access, io: Io): Promise<Picture> {
  const [, kind, place = ''] = /^([a-z]+):(.+)$/s.exec(from) ?? [];
  switch (kind) {
    case 'openshift':
      return await fromOpenShift(urlOf(place), access, io);
    case 'headgear':
      return await readPeer(urlOf(place));
    case 'file':
      return await readEventsFile(place);
    case 'nginx': {
      const poolName = access.poolName ?? DEFAULT_POOL_NAME;
      const isImplied = impliedByTable(access.own);
      return await withCertificates(
        await readNginxFolder({ dir: place, poolName, endpointType: 'load_balancer', isImplied }),
      );
    }
    default:
      throw new UsageError('--from wants openshift:URL, headgear:URL, file:FILE or nginx:DIR');
  }
}

async function fromOpenShift(url: URL, { user, ca }: Access, io: Io): Promise<Picture> {
  const { HEADGEAR_OPENSHIFT_PASSWORD: password, HEADGEAR_OPENSHIFT_TOKEN: token } = io.env;
  if (user !== undefined && password === undefined)
    throw new UsageError('--user wants the password in HEADGEAR_OPENSHIFT_PASSWORD');
  const basic = user === undefined ? null : `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const authorization = basic ?? (token === undefined ? null : `Bearer ${token}`);
  if (authorization !== null && url.protocol !== 'https:' && !isLoopback(url))
    throw new UsageError('a password goes over https alone: name an https URL');
  let progress: ReturnType<typeof showProgress> | null = null;
  try {
    return await readOpenShift({
      url,
      authorization,
      ca,
      onProgress(done, total) {
        progress ??= showProgress(io, 'reading', total);
        progress.at(done);
      },
    });
  } finally {
    (progress as ReturnType<typeof showProgress> | null)?.end();
  }
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new UsageError(`${JSON.stringify(text)} is no http or https URL`);
  if (url.username !== '' || url.password !== '')
    throw new UsageError('give the password by the environment: others can read a command line');
  return url;
}

function isLoopback({ hostname }: URL): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}

/** By the names of the applications here; where there are none yet, an application's own name is taken for an alias, which does no harm. */
function impliedByTable(own: ReadonlyMap<string, OwnApp>) {
  const [any] = own.values();
  const stem = any === undefined ? '' : `${any.appName}-${any.namespace}`;
  const patterns = [any?.plainName, any?.haName].flatMap((name) => (name ? [name.split(stem)] : []));
  return (app: { readonly appName: string; readonly namespace: string }, host: string): boolean => {
    const here = own.get(appKeyOf(app));
    if (here !== undefined) return host === here.plainName || host === here.haName;
    return patterns.some((parts) => host === parts.join(`${app.appName}-${app.namespace}`));
  };
}
