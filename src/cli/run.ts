/** `headgear run`: the load balancer itself. */
import { resolve } from 'node:path';
import { type Command, EXIT, type Io, readArguments, UsageError } from './command.ts';

/** What the composition root gives back; the rest of it is no business of the command line. */
export interface RunningApp {
  /** Drains open requests and stops; resolves when everything is closed. */
  stop(): Promise<void>;
}
export type StartApp = (options: {
  readonly configFile: string | null;
  readonly shadow?: boolean;
  readonly nginxConfDir?: string;
}) => Promise<RunningApp>;

// Loaded when it is wanted: `headgear check` and the others need none of the rooms.
const startReal: StartApp = async (options) => (await import('../start-app.ts')).startApp(options);

export const run: Command = {
  name: 'run',
  help: `Usage: headgear run [--config FILE [--shadow [--nginx-confdir DIR]]]

Runs Headgear until SIGTERM or SIGINT; then open requests may finish (drainTimeoutMs), and a second signal ends it at once.

  --config FILE  configuration, YAML or JSON (headgear check FILE validates it)
  --shadow       follow the events beside an incumbent without serving: no listeners for clients, no probes, and a state
                 folder and a durable subscription of its own (names that end in -shadow)
  --nginx-confdir DIR
                 the folder that the routing daemon writes for nginx (shadow.nginxConfDir): the shadow follows it, and says
                 host by host what it would route otherwise, in the log and by headgear shadow

Without --config it runs a sample application on embedded defaults: HTTP 8080, HTTPS 8443, admin 127.0.0.1:9090, intake
127.0.0.1:61613, state in ./var.

Secrets may come from the environment: HEADGEAR_BUS_LOGIN, HEADGEAR_BUS_PASSCODE, HEADGEAR_INTAKE_LOGIN,
HEADGEAR_INTAKE_PASSCODE; further HEADGEAR_LOG_LEVEL.`,
  run: (args, io) => runApp(args, io, startReal),
};

/** The command with its starter handed in. */
export async function runApp(args: readonly string[], io: Io, start: StartApp): Promise<number> {
  const { values } = readArguments(
    args,
    {
      config: { type: 'string' },
      shadow: { type: 'boolean', default: false },
      'nginx-confdir': { type: 'string' },
    } as const,
    false,
  );
  if (values.shadow && values.config === undefined) throw new UsageError('--shadow wants --config FILE');
  const folder = values['nginx-confdir'];
  if (folder !== undefined && !values.shadow) throw new UsageError('--nginx-confdir is for --shadow');
  let signals = 0;
  let stopWanted = (): void => undefined;
  const stopping = new Promise<void>((resolve) => {
    stopWanted = resolve;
  });
  const deaf = io.onSignal((signal) => {
    signals += 1;
    if (signals === 1) {
      io.err(`headgear: ${signal}: finishing open requests; a second signal ends at once`);
      stopWanted();
    } else {
      io.exit(EXIT.failed);
    }
  });
  try {
    const nginxConfDir = folder === undefined ? {} : { nginxConfDir: resolve(folder) };
    const app = await start({ configFile: values.config ?? null, shadow: values.shadow, ...nginxConfDir });
    await stopping;
    await app.stop();
    return EXIT.ok;
  } finally {
    deaf();
  }
}
