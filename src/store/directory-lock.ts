/**
 * One process a state directory. The lock is a listening Unix socket in the directory: the kernel closes it with the
 * process, kill -9 included, so whether its holder lives is one `connect` away, with nothing to time out and no process
 * id to misread (ids are reused, and two containers that share a volume are both process 1). It also works across
 * network namespaces, which an abstract socket does not. Node has no flock, and lmdb's own locks are made to let several
 * processes in.
 *
 * Every process publishes a socket under a name of its own and only then looks for others. Of two at the same moment at
 * least one therefore sees the other; whoever sees a living one withdraws, waits a random while and tries again. Two
 * never hold. One common name was rejected: to replace a dead holder's socket is then a look and a move, and between
 * the two somebody else's living one may have taken its place.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { closeSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, StoreError } from './store-error.ts';

/** Published as `lock-...` once it listens; bound as `.lock-...` before that, when it would not answer yet. */
const LOCK_NAME = /^\.?lock-[0-9a-f]{12}$/;
const MAX_ATTEMPTS = 5;
const MIN_WAIT_MS = 10;
const MAX_WAIT_MS = 100;
/** Longest path that every Unix takes in a socket's address; beyond it Linux gets a detour. */
const MAX_SOCKET_PATH_BYTES = 100;

export interface DirectoryLock {
  release(): Promise<void>;
}

/**
 * Takes the lock of the directory; gives up after up to half a second.
 * @throws StoreError STORE_IN_USE while another process (or another store of this one) holds it, STORE_DIRECTORY when
 * no lock can be made there.
 */
export async function lockDirectory(dir: string): Promise<DirectoryLock> {
  const short = shortPathOf(dir);
  try {
    for (let attempt = 1; ; attempt++) {
      const lock = await tryLock(dir, short.path);
      if (lock !== null) return lock;
      if (attempt === MAX_ATTEMPTS) break;
      await sleep(randomInt(MIN_WAIT_MS, MAX_WAIT_MS));
    }
  } catch (error) {
    throw new StoreError('STORE_DIRECTORY', `cannot lock ${dir}: ${messageOf(error)}`, { cause: error });
  } finally {
    short.close();
  }
  throw new StoreError('STORE_IN_USE', `another process uses the state directory ${dir}`);
}

/** Null when somebody else holds the directory, or is about to. */
async function tryLock(dir: string, shortPath: string): Promise<DirectoryLock | null> {
  const name = `lock-${randomBytes(6).toString('hex')}`;
  const server = await listen(join(shortPath, `.${name}`));
  const release = async () => {
    rmSync(join(dir, name), { force: true });
    await closeServer(server);
  };
  try {
    renameSync(join(dir, `.${name}`), join(dir, name));
    const dead: string[] = [];
    for (const other of readdirSync(dir)) {
      if (other === name || !LOCK_NAME.test(other)) continue;
      if (await answers(join(shortPath, other))) {
        await release();
        return null;
      }
      dead.push(other);
    }
    for (const other of dead) rmSync(join(dir, other), { force: true });
    return { release };
  } catch (error) {
    await release();
    // Whoever holds the directory clears away what does not answer: our own socket, if it was not listening yet.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(path, () => {
      server.unref();
      server.off('error', reject);
      server.on('error', () => {});
      resolve(server);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** True unless it is certain that nobody listens there: a full backlog or a refusal of rights is somebody. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT' && error.code !== 'ENOTSOCK');
    });
  });
}

/** The same directory under a path that fits a socket's address (108 bytes on Linux), by way of an open handle. */
function shortPathOf(dir: string): { readonly path: string; close(): void } {
  if (Buffer.byteLength(dir) + 24 <= MAX_SOCKET_PATH_BYTES || process.platform !== 'linux') {
    return { path: dir, close: () => {} };
  }
  const handle = openSync(dir, 'r');
  return { path: `/proc/self/fd/${handle}`, close: () => closeSync(handle) };
}
