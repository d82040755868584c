/** Events -> a picture: every source hands in events, and they are decoded as those of the message bus are. */
import { readEvent } from '../spi/decode.ts';
import { type AppKey, type AppRef, appKeyOf, type EndpointFacts, type RoutingEvent } from '../spi/events.ts';
import type { Picture, PictureCertificate, SourceProblem } from './picture.ts';

const LIMITS = { maxBodyBytes: 1_048_576, maxDepth: 16, maxAliases: 16 };
/** A hostile source may have nothing but problems. */
const MAX_PROBLEMS = 1_000;

interface Building {
  readonly app: AppRef;
  scalable: boolean | null;
  ha: boolean | null;
  readonly endpoints: Map<string, EndpointFacts>;
  readonly aliases: Set<string>;
  readonly certificates: Map<string, PictureCertificate>;
}

export interface PictureBuilder {
  /** `where` names the event in a problem. */
  add(body: Buffer, where: string): void;
  problem(problem: SourceProblem): void;
  finish(source: string, kind: Pick<Picture, 'knowsDetails' | 'doubtsEmpty'>): Picture;
}

export function createPictureBuilder(): PictureBuilder {
  const apps = new Map<AppKey, Building>();
  const problems: SourceProblem[] = [];
  let unsaid = 0;

  const problem = (one: SourceProblem): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(one);
    else unsaid += 1;
  };
  const building = (app: AppRef): Building => {
    const key = appKeyOf(app);
    let known = apps.get(key);
    if (known === undefined) {
      known = {
        app,
        scalable: null,
        ha: null,
        endpoints: new Map(),
        aliases: new Set(),
        certificates: new Map(),
      };
      apps.set(key, known);
    }
    return known;
  };

  return {
    add(body, where) {
      const decoded = readEvent(body, LIMITS);
      if (decoded.kind === 'rejected') problem({ ...decoded.rejection, where });
      else if (decoded.kind === 'ignored')
        problem({ code: 'SOURCES_NOT_MAPPED', where, reason: `${decoded.action} is no action of Headgear` });
      else fold(decoded.event, apps, building);
    },
    problem,
    finish(source, kind) {
      if (unsaid > 0)
        problems.push({ code: 'SOURCES_MORE', where: source, reason: `${unsaid} more problems` });
      const finished = [...apps].map(([key, { app, scalable, ha, endpoints, aliases, certificates }]) => {
        const parts = {
          endpoints: [...endpoints.values()],
          aliases: [...aliases],
          certificates: [...certificates.values()],
        };
        return [key, { app, scalable, ha, ...parts }] as const;
      });
      return { source, ...kind, apps: new Map(finished), problems };
    },
  };
}

function fold(event: RoutingEvent, apps: Map<AppKey, Building>, building: (app: AppRef) => Building): void {
  const known = apps.get(appKeyOf(event.app));
  switch (event.action) {
    case 'create_application': {
      const into = building(event.app);
      into.scalable = event.scalable ?? into.scalable;
      into.ha = event.ha ?? into.ha;
      return;
    }
    case 'delete_application':
      apps.delete(appKeyOf(event.app));
      return;
    case 'add_public_endpoint':
      building(event.app).endpoints.set(socketOf(event.endpoint), event.endpoint);
      return;
    case 'remove_public_endpoint':
      known?.endpoints.delete(socketOf(event));
      return;
    case 'add_alias':
      building(event.app).aliases.add(event.alias);
      return;
    case 'remove_alias':
      known?.aliases.delete(event.alias);
      known?.certificates.delete(event.alias);
      return;
    case 'add_ssl': {
      const { action: _action, app, ...certificate } = event;
      building(app).certificates.set(event.alias, certificate);
      return;
    }
    case 'remove_ssl':
      known?.certificates.delete(event.alias);
  }
}

/** What an endpoint is known by (domain.md 7). */
export function socketOf({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address} ${port}`;
}
