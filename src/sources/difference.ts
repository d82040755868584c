/** What would have to happen for our table to be as a picture has it. Pure. */
import { X509Certificate } from 'node:crypto';
import type { EndpointFacts, RoutingEvent } from '../spi/events.ts';
import { UNKNOWN_GEAR } from '../spi/names.ts';
import type { OwnApp } from './headgear-table.ts';
import type { Picture, PictureApp, PictureCertificate, SourceProblem } from './picture.ts';
import { socketOf } from './picture-builder.ts';

export interface Difference {
  /** New here, or other than here; in an order in which they can be applied. */
  readonly additions: readonly RoutingEvent[];
  /** Apart, because a source that is wrong or sees half takes running applications down with them. */
  readonly deletions: readonly RoutingEvent[];
  /** Applications, endpoints and aliases that go, with what goes along with an application; and those there are. */
  readonly deleted: number;
  readonly known: number;
  /** Left as they are, and why. */
  readonly kept: readonly SourceProblem[];
}

/** Certificates that the source lacks are kept: neither OpenShift nor a peer gives any out. */
export function differenceOf(own: ReadonlyMap<string, OwnApp>, picture: Picture): Difference {
  const additions: RoutingEvent[] = [];
  const deletions: RoutingEvent[] = [];
  const kept: SourceProblem[] = [];
  let [deleted, known] = [0, 0];
  for (const [key, wanted] of picture.apps) {
    const here = own.get(key);
    additions.push(...additionsOf(here, wanted, picture));
    if (here === undefined) continue;
    const gone = deletionsOf(here, wanted);
    if (picture.doubtsEmpty && wanted.endpoints.length === 0 && here.endpoints.length > 0) {
      const reason =
        'the source knows no endpoint of it, as OpenShift forgets those of gears that moved: they are kept';
      kept.push({ code: 'SOURCES_NO_ENDPOINTS', where: key, reason });
      gone.splice(0, gone.length, ...gone.filter(({ action }) => action !== 'remove_public_endpoint'));
    }
    deleted += gone.length;
    deletions.push(...gone);
  }
  for (const [key, here] of own) {
    const weight = 1 + here.endpoints.length + announced(here).length;
    known += weight;
    if (picture.apps.has(key)) continue;
    deleted += weight;
    deletions.push({
      action: 'delete_application',
      app: { appName: here.appName, namespace: here.namespace },
    });
  }
  return { additions, deletions, deleted, known, kept };
}

function* additionsOf(
  here: OwnApp | undefined,
  wanted: PictureApp,
  picture: Picture,
): Generator<RoutingEvent> {
  const { app, scalable, ha } = wanted;
  if (here === undefined) yield { action: 'create_application', app, scalable, ha };
  const held = new Map(here?.endpoints.map((facts) => [socketOf(facts), facts]));
  for (const endpoint of wanted.endpoints) {
    const facts = held.get(socketOf(endpoint));
    if (facts === undefined) yield { action: 'add_public_endpoint', app, endpoint };
    else if (picture.knowsDetails && !sameEndpoint(facts, endpoint)) {
      const gearId = endpoint.gearId === UNKNOWN_GEAR ? facts.gearId : endpoint.gearId;
      yield { action: 'add_public_endpoint', app, endpoint: { ...endpoint, gearId } };
    }
  }
  const aliases = new Set(here === undefined ? [] : announced(here));
  for (const alias of wanted.aliases) if (!aliases.has(alias)) yield { action: 'add_alias', app, alias };
  const fingerprints = new Map(
    here?.aliases.map(({ alias, certificate }) => [alias, certificate?.fingerprint]),
  );
  for (const certificate of wanted.certificates) {
    if (fingerprints.get(certificate.alias) === fingerprintOf(certificate)) continue;
    yield { action: 'add_ssl', app, ...certificate };
  }
}

function deletionsOf(here: OwnApp, wanted: PictureApp): RoutingEvent[] {
  const { app } = wanted;
  const sockets = new Set(wanted.endpoints.map(socketOf));
  const aliases = new Set(wanted.aliases);
  return [
    ...here.endpoints
      .filter((facts) => !sockets.has(socketOf(facts)))
      .map(({ gearId, address, port }) => ({
        action: 'remove_public_endpoint' as const,
        app,
        gearId,
        address,
        port,
      })),
    ...announced(here)
      .filter((alias) => !aliases.has(alias))
      .map((alias) => ({ action: 'remove_alias' as const, app, alias })),
  ];
}

function announced({ aliases }: OwnApp): readonly string[] {
  return aliases.filter((record) => record.announced).map(({ alias }) => alias);
}

/** By what traffic depends on; a gear that one side does not know is no difference. */
function sameEndpoint(a: EndpointFacts, b: EndpointFacts): boolean {
  const gears = new Set([a.gearId, b.gearId]);
  gears.delete(UNKNOWN_GEAR);
  return gears.size < 2 && sameWords(a.protocols, b.protocols) && sameWords(a.types, b.types);
}

function sameWords(a: readonly string[], b: readonly string[]): boolean {
  const words = new Set(a);
  return words.size === new Set(b).size && b.every((word) => words.has(word));
}

/** As the table keeps it; undefined where it cannot be read: then who judges it says so. */
function fingerprintOf({ certificatePem }: PictureCertificate): string | undefined | null {
  try {
    return new X509Certificate(certificatePem).fingerprint256.replaceAll(':', '').toLowerCase();
  } catch {
    return null;
  }
}
