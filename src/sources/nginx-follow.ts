/**
 * Follows a folder for nginx: what the system tells of it at once, and all of it now and then, because the system may tell nothing (NFS)
 * or not everything (a full queue of inotify). Reads certificates, never keys. Costs what changed, a full look a `stat` a file,
 * all of it synchronous and in slices: by the thread pool, 200,000 files cost many times as much.
 */
import { X509Certificate } from 'node:crypto';
import { type FSWatcher, opendirSync, readFileSync, statSync, watch } from 'node:fs';
import { basename, join } from 'node:path';
import { createNginxHosts, type NginxHost } from './nginx-hosts.ts';
import type { SourceProblem } from './picture.ts';

export interface FollowedHost extends Pick<NginxHost, 'members'> {
  /** SHA-256 of the leaf in hex; null: it has none of its own; `unreadable` where its file cannot be read. */
  readonly fingerprint: string | null;
}

export interface FollowedFolder {
  /**
   * Takes in what changed since the last time, all of the folder where `isWhole` says so or nobody could tell; gives back the hosts that
   * may be served otherwise now. Rejects with the system's error when the folder cannot be read: then nothing is forgotten.
   */
  update(isWhole: boolean): Promise<ReadonlySet<string>>;
  host(name: string): FollowedHost | null;
  size(): number;
  /** Files that cannot be read, names that are no single host. Some of them. */
  problems(): readonly SourceProblem[];
  stop(): void;
}

export const UNREADABLE = 'unreadable';
const MAX_PROBLEMS = 100;
const MAX_FILE_BYTES = 1_048_576;
const NOT_READ = `cannot be read, or is no file of at most ${MAX_FILE_BYTES} bytes`;

/** Lets others have a turn now and then; null: there is no need yet. */
export type Breathe = () => Promise<void> | null;

/** `onStir`: something changed, `update` would find it. */
export function followNginxFolder(dir: string, breathe: Breathe, onStir: () => void): FollowedFolder {
  const hosts = createNginxHosts();
  /** Every file of the folder but keys: what `stat` said of it, and in which full look it was last there. */
  const known = new Map<string, { readonly stamp: string; readonly look: number }>();
  /** By the place of the file. */
  const fingerprints = new Map<string, { readonly stamp: string; readonly fingerprint: string }>();
  const problems = new Map<string, SourceProblem>();
  let stirred = new Set<string>();
  let isVague = false;
  let look = 0;
  let isStopped = false;
  let watching: { readonly watcher: FSWatcher; readonly folder: string } | null = null;

  const rest = async (): Promise<void> => {
    const breath = breathe();
    if (breath !== null) await breath;
  };
  const placeOf = (certFile: string): string =>
    known.has(basename(certFile)) ? join(dir, basename(certFile)) : certFile;

  /** Anew for another folder in the same place; a system that cannot watch (no inotify left) leaves the full looks. */
  function watchFolder(): void {
    const folder = String(statSync(dir).ino);
    if (watching?.folder === folder) return;
    watching?.watcher.close();
    watching = null;
    try {
      const watcher = watch(dir, { persistent: false }, (_event, name) => {
        if (name === null) isVague = true;
        else stirred.add(name);
        onStir();
      });
      watcher.on('error', () => {
        watcher.close();
        if (watching?.watcher === watcher) watching = null;
      });
      watching = { watcher, folder };
    } catch {
      watching = null;
    }
  }

  function takeFile(name: string, touched: Set<string>): void {
    if (name.endsWith('.key')) return;
    const stamp = stampOf(join(dir, name));
    if (stamp === null) {
      forget(name, touched);
      return;
    }
    const same = known.get(name)?.stamp === stamp;
    known.set(name, { stamp, look });
    if (same) return;
    if (!name.endsWith('.conf')) {
      addAll(touched, hosts.hostsOfCertificate(name));
      return;
    }
    problems.delete(name);
    const text = textOf(join(dir, name));
    if (text === null && problems.size < MAX_PROBLEMS)
      problems.set(name, { code: 'SOURCES_UNREADABLE', where: name, reason: NOT_READ });
    addAll(touched, hosts.setFile(name, text));
  }

  function forget(name: string, touched: Set<string>): void {
    known.delete(name);
    problems.delete(name);
    addAll(touched, name.endsWith('.conf') ? hosts.setFile(name, null) : hosts.hostsOfCertificate(name));
  }

  async function lookAtAll(touched: Set<string>): Promise<void> {
    look += 1;
    const folder = opendirSync(dir, { bufferSize: 256 });
    try {
      for (let entry = folder.readSync(); entry !== null && !isStopped; entry = folder.readSync()) {
        takeFile(entry.name, touched);
        await rest();
      }
    } finally {
      folder.closeSync();
    }
    if (isStopped) return;
    for (const [name, { look: seen }] of known) if (seen !== look) forget(name, touched);
    for (const [place, { stamp }] of fingerprints) {
      if (stampOf(place) !== stamp) addAll(touched, hosts.hostsOfCertificate(basename(place)));
      await rest();
    }
  }

  /** So that `host` needs to read nothing. */
  function readCertificateOf(host: string): void {
    const certFile = hosts.host(host)?.certFile;
    if (certFile === undefined || certFile === null) return;
    const place = placeOf(certFile);
    const stamp = stampOf(place) ?? '';
    if (fingerprints.get(place)?.stamp === stamp) return;
    fingerprints.set(place, { stamp, fingerprint: fingerprintOf(textOf(place)) });
  }

  return {
    async update(isWhole) {
      const touched = new Set<string>();
      watchFolder();
      const names = stirred;
      const all = isWhole || isVague;
      stirred = new Set();
      isVague = false;
      try {
        if (all) await lookAtAll(touched);
        else {
          for (const name of names) {
            takeFile(name, touched);
            await rest();
          }
        }
      } catch (error) {
        isVague = true;
        throw error;
      }
      for (const host of touched) {
        readCertificateOf(host);
        await rest();
      }
      return touched;
    },
    host(name) {
      const found = hosts.host(name);
      if (found === null) return null;
      const { members, certFile } = found;
      if (certFile === null) return { members, fingerprint: null };
      return { members, fingerprint: fingerprints.get(placeOf(certFile))?.fingerprint ?? UNREADABLE };
    },
    size: hosts.size,
    problems: () => [
      ...problems.values(),
      ...hosts.patterns().map((name) => ({
        code: 'SOURCES_NOT_MAPPED',
        where: name.slice(0, 100),
        reason: 'is no single host: it is not compared',
      })),
    ],
    stop() {
      isStopped = true;
      watching?.watcher.close();
      watching = null;
    },
  };
}

function addAll(touched: Set<string>, hosts: Iterable<string>): void {
  for (const host of hosts) touched.add(host);
}

/** null for a file that is not there, or cannot be reached. */
function stampOf(file: string): string | null {
  try {
    const stats = statSync(file, { throwIfNoEntry: false });
    return stats === undefined ? null : `${stats.ino} ${stats.size} ${stats.mtimeMs}`;
  } catch {
    return null;
  }
}

/** null for what is no file of a sensible size, or cannot be read. */
function textOf(file: string): string | null {
  try {
    const stats = statSync(file);
    // A named pipe would hold us for ever.
    return stats.isFile() && stats.size <= MAX_FILE_BYTES ? readFileSync(file, 'latin1') : null;
  } catch {
    return null;
  }
}

function fingerprintOf(pem: string | null): string {
  try {
    return new X509Certificate(pem ?? '').fingerprint256.replaceAll(':', '').toLowerCase();
  } catch {
    return UNREADABLE;
  }
}
