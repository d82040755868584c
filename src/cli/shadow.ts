/** `headgear shadow`: what a shadow would route otherwise than its incumbent. */
import type { DifferingHost, ShadowStatus } from '../shadow/follow-incumbent.ts';
import { adminOptions, adminUrl, askText } from './admin-client.ts';
import { type Command, EXIT, type Io, readArguments } from './command.ts';
import { asciiJson, plain } from './event-line.ts';

interface Answer extends ShadowStatus {
  readonly hosts: readonly DifferingHost[];
}

export const shadow: Command = {
  name: 'shadow',
  help: `Usage: headgear shadow [--json] [--admin URL]

Host by host what the Headgear that runs with --shadow would route otherwise than nginx does by the folder that it follows
(--nginx-confdir): hosts that only one of the two serves, endpoints that only one would send to, other certificates. A
difference counts when it has lasted for shadow.settleMs. The exit code is 1 when there is one, or when the folder could not
be read.

  --json       what admin answers, as it is
  --admin URL  the admin listener (default ${adminOptions.admin.default})`,
  async run(args, io) {
    const options = { ...adminOptions, json: { type: 'boolean', default: false } } as const;
    const { values } = readArguments(args, options, false);
    const text = await askText('shadow', adminUrl(values.admin), '/shadow', io);
    if (text === null) return EXIT.failed;
    const answer = JSON.parse(text) as Answer;
    if (values.json) io.out(asciiJson(text.trimEnd()));
    else show(answer, io);
    const isAlike = answer.hosts.length === 0 && answer.trouble === null && answer.readAt !== null;
    return isAlike ? EXIT.ok : EXIT.failed;
  },
};

function show(answer: Answer, io: Io): void {
  const { hosts, problems, trouble, readAt, nginxConfDir, nginxHosts, settling } = answer;
  for (const { where, code, reason } of problems)
    io.out(`look: ${plain(where)}: ${plain(reason)} (${plain(code)})`);
  for (const { host, app, deviations } of hosts) {
    io.out(`${plain(host)} (${plain(app ?? 'not known here')})`);
    for (const { text, since } of deviations)
      io.out(`  ${plain(text)}, since ${new Date(since).toISOString()}`);
  }
  if (trouble !== null) io.out(`look: ${plain(nginxConfDir)} cannot be read: ${plain(trouble)}`);
  else if (readAt === null) io.out(`${plain(nginxConfDir)} is being read for the first time: ask again`);
  io.out(
    `${hosts.length} hosts would be routed otherwise than nginx does with its ${Number(nginxHosts)}; ` +
      `${Number(settling)} differences have not lasted long enough to count`,
  );
}
