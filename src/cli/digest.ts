/** `headgear digest`: whether two instances have the same table, at a glance. */
import { setTimeout as sleep } from 'node:timers/promises';
import { adminOptions, adminUrl, askAdmin } from './admin-client.ts';
import { type Command, EXIT, readArguments } from './command.ts';
import { plain } from './event-line.ts';

const PATIENCE_MS = 60_000;
const AGAIN_MS = 100;

export const digest: Command = {
  name: 'digest',
  help: `Usage: headgear digest [ADMIN-URL...]

Prints the digest of each instance's table (default ${adminOptions.admin.default}). It stands for endpoints, aliases and certificates, in
whatever order they came: the same digest is the same table. Exit code 1 when they differ; headgear reconcile shows where.`,
  async run(args, io) {
    const { positionals } = readArguments(args, {}, true);
    const urls = positionals.length === 0 ? [adminOptions.admin.default] : positionals;
    const found = new Set<string>();
    for (const url of urls.map(adminUrl)) {
      const { digest: value, applications, generation } = await ask(url);
      found.add(value);
      io.out(`${plain(value)} ${url.host} (${applications} applications, generation ${generation})`);
    }
    if (found.size > 1) io.out('they differ');
    return found.size > 1 ? EXIT.failed : EXIT.ok;
  },
};

interface Answer {
  readonly digest: string;
  readonly applications: number;
  readonly generation: number;
}

/** The first question makes an instance count; it says null until it has. */
async function ask(admin: URL): Promise<Answer> {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    const { status, text } = await askAdmin(admin, { method: 'GET', path: '/digest' });
    if (status !== 200)
      throw new Error(`${admin.host} answered ${status}: is it a Headgear of this version?`);
    const answer = JSON.parse(text) as Omit<Answer, 'digest'> & { readonly digest: string | null };
    const { digest: value, applications, generation } = answer;
    if (value !== null)
      return { digest: value, applications: Number(applications), generation: Number(generation) };
    if (Date.now() > until) throw new Error(`${admin.host} has not made its digest within ${PATIENCE_MS} ms`);
    await sleep(AGAIN_MS);
  }
}
