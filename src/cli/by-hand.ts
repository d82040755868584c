/** What `pools`, `members` and `aliases` share: asking a running Headgear to change something by hand, and showing an application. */
import { adminOptions, adminToken, adminUrl, askAdmin, askText, sayRefusal } from './admin-client.ts';
import { EXIT, type Io, UsageError } from './command.ts';
import { plain } from './event-line.ts';

export const byHandOptions = {
  ...adminOptions,
  'token-file': { type: 'string', default: './var/admin-token' },
} as const;

export const byHandHelp = `  --admin URL        the admin listener (default ${adminOptions.admin.default})
  --token-file FILE  what allows changes (default ./var/admin-token: in the state folder); HEADGEAR_ADMIN_TOKEN goes first`;

interface Values {
  readonly admin: string;
  readonly 'token-file': string;
}

interface Answer {
  readonly outcome: string;
  readonly code: string;
  readonly reason: string;
  readonly notes: readonly string[];
}

/** Sends one request of control/manual.ts; resolves with the exit code. */
export async function byHand(
  command: string,
  request: object,
  values: Values,
  io: Io,
  path = '/manual',
): Promise<number> {
  const admin = adminUrl(values.admin);
  const token = adminToken(io.env, values['token-file']);
  const answer = await askAdmin(admin, { method: 'POST', path, body: request, token });
  if (answer.status !== 200 && answer.status !== 400 && answer.status !== 409) {
    sayRefusal(command, answer, io);
    return EXIT.failed;
  }
  const { outcome, code, reason, notes } = JSON.parse(answer.text) as Answer;
  for (const note of notes) io.out(`note: ${plain(note)}`);
  if (answer.status !== 200) {
    io.err(`headgear ${command}: ${plain(code)}: ${plain(reason)}`);
    return EXIT.failed;
  }
  io.out(outcome === 'unchanged' ? 'nothing to change' : plain(outcome));
  return EXIT.ok;
}

/** What is shown of an application. */
export interface ShownApp {
  readonly key: string;
  readonly endpoints: readonly {
    readonly address: string;
    readonly port: number;
    readonly gearId: string;
    readonly types: readonly string[];
    readonly transport: string | null;
    readonly pin?: object;
  }[];
  readonly aliases: readonly {
    readonly alias: string;
    readonly servedFor: string | null;
    readonly certificate: object | null;
    readonly pin?: object;
  }[];
}

/** One application, or null after its absence was shown. */
export async function shownApp(
  command: string,
  app: string,
  values: Values,
  io: Io,
): Promise<ShownApp | null> {
  const path = `/apps/${app.split('/').map(encodeURIComponent).join('/')}`;
  const text = await askText(command, adminUrl(values.admin), path, io);
  return text === null ? null : (JSON.parse(text) as ShownApp);
}

/** The arguments of a verb, exactly as many as it wants. */
export function exactly(given: readonly string[], ...wanted: readonly string[]): readonly string[] {
  if (given.length !== wanted.length) {
    throw new UsageError(
      `wants ${wanted.join(' ')}, and was given ${given.length === 0 ? 'nothing' : given.join(' ')}`,
    );
  }
  return given;
}
