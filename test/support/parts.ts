/** Finds the real parts (servers and tools) that some tests need, and says aloud which one is missing. */
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

interface Part {
  /** As people call it. */
  readonly title: string;
  readonly debianPackage: string;
  /** Programs of which the first found is the part's path. */
  readonly programs: readonly string[];
  /** Files that must exist besides. */
  readonly files?: readonly string[];
}

export const ACTIVEMQ_JAR = '/usr/share/activemq/bin/activemq.jar';

const PARTS = {
  activemq: { title: 'ActiveMQ', debianPackage: 'activemq', programs: ['java'], files: [ACTIVEMQ_JAR] },
  apache2: { title: 'Apache', debianPackage: 'apache2', programs: ['apache2', 'httpd'] },
  caddy: { title: 'Caddy', debianPackage: 'caddy', programs: ['caddy'] },
  chromium: { title: 'Chromium', debianPackage: 'chromium', programs: ['chromium'] },
  curl: { title: 'curl', debianPackage: 'curl', programs: ['curl'] },
  h2load: { title: 'h2load', debianPackage: 'nghttp2-client', programs: ['h2load'] },
  haproxy: { title: 'HAProxy', debianPackage: 'haproxy', programs: ['haproxy'] },
  named: { title: 'BIND', debianPackage: 'bind9', programs: ['named'] },
  nginx: { title: 'nginx', debianPackage: 'nginx-light', programs: ['nginx'] },
  openssl: { title: 'OpenSSL', debianPackage: 'openssl', programs: ['openssl'] },
  ruby: { title: 'Ruby', debianPackage: 'ruby', programs: ['ruby'] },
  testssl: { title: 'testssl.sh', debianPackage: 'testssl.sh', programs: ['testssl', 'testssl.sh'] },
  wrk: { title: 'wrk', debianPackage: 'wrk', programs: ['wrk'] },
} satisfies Record<string, Part>;

export type PartName = keyof typeof PARTS;

/** Where system programs live that a user's PATH often leaves out. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

function onPath(program: string): string | null {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const folder of [...folders, ...SYSTEM_FOLDERS]) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here
    }
  }
  return null;
}

/** The path of a part's program (for ActiveMQ: of java), or a sentence saying what is missing. */
export function findPart(name: PartName): { readonly path: string } | { readonly missing: string } {
  const part: Part = PARTS[name];
  const path = part.programs.map(onPath).find((found) => found !== null);
  const filesAreThere = (part.files ?? []).every((file) => existsSync(file));
  if (path !== undefined && path !== null && filesAreThere) return { path };
  return { missing: `needs ${part.title} (Debian package ${part.debianPackage}), which is not installed` };
}

/** The path of a part that the test has already made sure of. Throws when it is missing. */
export function requirePart(name: PartName): string {
  const found = findPart(name);
  if ('missing' in found) throw new Error(`this test ${found.missing}`);
  return found.path;
}

/**
 * The `skip` option of node:test: false when every part is there, else the sentence, which is also printed to stderr. With
 * TEST_REQUIRE_PARTS=1 it throws instead: where the parts ought to be installed, a skipped test is a failed one.
 */
export function skipWithout(...names: PartName[]): string | false {
  const missing = names.flatMap((name) => {
    const found = findPart(name);
    return 'missing' in found ? [found.missing] : [];
  });
  if (missing.length === 0) return false;
  const sentence = missing.join('; ');
  if (process.env.TEST_REQUIRE_PARTS === '1') throw new Error(`TEST_REQUIRE_PARTS=1, but a test ${sentence}`);
  process.stderr.write(`SKIPPED: ${sentence}\n`);
  return sentence;
}
