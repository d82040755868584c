/** What a newcomer reads after `npm start`: commands that work as they stand, each on one line. */
import { isIP } from 'node:net';
import { isAbsolute, relative } from 'node:path';
import { sampleAlias } from './sample-application.ts';

export interface WelcomeFacts {
  /** `demo-sample.<domain>` and its ha- name. */
  readonly host: string;
  readonly haHost: string;
  /** Where the listeners really are: configured host, bound port. */
  readonly http: { readonly host: string; readonly port: number };
  readonly https: { readonly host: string; readonly port: number };
  readonly admin: { readonly host: string; readonly port: number };
  readonly intake: { readonly host: string; readonly port: number } | null;
  readonly caFile: string;
  /** Folder that the commands are run in; default: the current one. */
  readonly folder?: string;
}

/** The commands alone, by what they show. */
export function welcomeCommands(facts: WelcomeFacts): readonly (readonly [string, string])[] {
  const ca = shellWord(fromFolder(facts.caFile, facts.folder ?? process.cwd()));
  const http = (name: string, path: string) =>
    `curl ${resolve(name, facts.http)} http://${name}:${facts.http.port}${path}`;
  const https = (name: string, path: string, flags = '') =>
    `curl ${flags}--cacert ${ca} ${resolve(name, facts.https)} https://${name}:${facts.https.port}${path}`;
  const admin = `http://${bracketed(reachable(facts.admin.host))}:${facts.admin.port}`;
  return [
    ['The application over TLS, under the platform wildcard certificate', https(facts.host, '/')],
    ['The same over plain HTTP', http(facts.host, '/')],
    ['Under its highly available name', https(facts.haHost, '/')],
    ['Under its alias, with a certificate of its own', https(sampleAlias, '/')],
    ['A stream of events, passed on as they come (5 s)', https(facts.host, '/events', '-N ')],
    ['The live routing table', `curl ${admin}/table`],
    ['Metrics for Prometheus', `curl ${admin}/metrics`],
  ];
}

/** Writes the welcome, a line a call. */
export function printWelcome(facts: WelcomeFacts, write: (line: string) => void): void {
  write('');
  write('Headgear is ready and serves a sample application. Try, in another terminal and in this folder:');
  for (const [what, command] of welcomeCommands(facts)) {
    write('');
    write(`  # ${what}`);
    write(`  ${command}`);
  }
  write('');
  if (facts.intake)
    write(
      `Routing events are taken at stomp://${bracketed(facts.intake.host)}:${facts.intake.port} (headgear publish FILE...).`,
    );
  write('For production: npm start -- --config FILE. Stop with Ctrl-C.');
  write('');
}

function resolve(name: string, listener: { readonly host: string; readonly port: number }): string {
  return `--resolve ${name}:${listener.port}:${bracketed(reachable(listener.host))}`;
}

/** An address by which this machine reaches a listener. */
function reachable(host: string): string {
  if (host === '::' || host === '0.0.0.0' || host === '' || host === 'localhost') return '127.0.0.1';
  return host;
}

function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

function fromFolder(file: string, folder: string): string {
  const short = relative(folder, file);
  return short.startsWith('..') || isAbsolute(short) ? file : short;
}

function shellWord(text: string): string {
  return /^[\w./@%+=:,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
