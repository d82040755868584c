/** The state part of `headgear import`: an nginx folder through the control loop into the state folder. */
import type { Config } from '../config/schema.ts';
import { eventBody, eventText } from '../sources/event-bodies.ts';
import { countEvents, nginxEvents } from '../sources/nginx-events.ts';
import { type NginxPicture, readNginxFolder } from '../sources/nginx-folder.ts';
import type { SourceProblem } from '../sources/picture.ts';
import type { RoutingEvent } from '../spi/events.ts';
import { impliedNames } from '../table/names.ts';
import type { TablePolicy } from '../table/policy.ts';
import type { Io } from './command.ts';
import { plain } from './event-line.ts';
import { type OfflineControl, openOfflineControl } from './offline-control.ts';
import { showProgress } from './progress.ts';

export interface ImportOptions {
  readonly dir: string;
  readonly poolName: string;
  readonly config: Config;
  readonly rehearse: boolean;
  readonly say: (line: string) => void;
  readonly io: Pick<Io, 'terminal' | 'err'>;
}

/** Events in the loop at one time: enough for whole batches, few enough that memory stays small. */
const WINDOW = 512;

/** True when everything of the folder was taken over; the rest was said. Rejects when nothing could be done. */
export async function importFolder(options: ImportOptions): Promise<boolean> {
  const { dir, config, say, rehearse } = options;
  const offline = await open(config, rehearse);
  try {
    const picture = await readNginxFolder({
      dir,
      poolName: options.poolName,
      endpointType: config.endpoints.types[0] ?? 'load_balancer',
      isImplied: impliedBy(offline.policy),
    });
    const before = offline.control.status();
    const told = await feed(picture, offline.control, options);
    const after = offline.control.status();
    const problems = [...picture.problems, ...told.problems];
    for (const { where, code, reason } of problems)
      say(`not taken over: ${plain(where)}: ${plain(reason)} (${code})`);
    const verb = rehearse ? 'would import' : 'imported';
    const aliases = [...picture.apps.values()].reduce((sum, { aliases: own }) => sum + own.length, 0);
    say(
      `${verb} ${picture.apps.size} applications, ${aliases} aliases; of ${told.events} events ${told.applied} changed the state, ` +
        `${told.unchanged} were known, ${told.refused} were refused`,
    );
    say(
      `the state ${rehearse ? 'would hold' : 'holds'} ${after.applications} applications (${before.applications} before), ` +
        `${after.endpoints} endpoints, ${after.names} names, ${after.certificates} certificates`,
    );
    if (problems.length > 0) say(`${problems.length} not taken over: they are named above`);
    return problems.length === 0;
  } finally {
    await offline.close();
  }
}

async function open(config: Config, rehearse: boolean): Promise<OfflineControl> {
  try {
    return await openOfflineControl(config, rehearse);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'STORE_IN_USE') throw error;
    throw new Error(
      `${config.stateDir} is in use: stop the Headgear that runs on it, or, with it running, use headgear reconcile --from nginx:DIR`,
    );
  }
}

interface Told {
  readonly events: number;
  readonly applied: number;
  readonly unchanged: number;
  readonly refused: number;
  readonly problems: readonly SourceProblem[];
}

async function feed(
  picture: NginxPicture,
  control: OfflineControl['control'],
  { io, dir }: ImportOptions,
): Promise<Told> {
  const counts = { events: 0, applied: 0, unchanged: 0, refused: 0 };
  const problems: SourceProblem[] = [];
  const progress = showProgress(io, 'importing', countEvents(picture));
  const open: Promise<void>[] = [];
  const one = async (event: RoutingEvent): Promise<void> => {
    const receivedAt = Date.now();
    const source = `import:${dir}`;
    const { outcome, code, reason } = await control.take({
      body: eventBody(event),
      source,
      messageId: null,
      receivedAt,
      sentAt: null,
    });
    if (outcome === 'applied' || outcome === 'unchanged') counts[outcome] += 1;
    else {
      counts.refused += 1;
      problems.push({ code, where: eventText(event), reason });
    }
  };
  try {
    for await (const event of nginxEvents(picture, (problem) => problems.push(problem))) {
      counts.events += 1;
      open.push(one(event));
      if (open.length < WINDOW) continue;
      // All of them, not the first: to race 512 promises for each event costs more than the event.
      await Promise.all(open.splice(0));
      progress.at(counts.events);
    }
    await Promise.all(open);
    progress.at(counts.events);
  } finally {
    progress.end();
  }
  return { ...counts, problems };
}

/** Plain and HA name of an application are its own without anybody saying so. */
export function impliedBy(policy: TablePolicy) {
  return (app: { readonly appName: string; readonly namespace: string }, host: string): boolean => {
    const { plain: own, ha } = impliedNames(app, policy);
    return host === own || host === ha;
  };
}
