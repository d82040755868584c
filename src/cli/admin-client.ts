/** Asking the admin listener of a running Headgear. */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import type { Environment } from '../config/environment.ts';
import { type Io, UsageError } from './command.ts';
import { plain } from './event-line.ts';

export interface AdminAnswer {
  readonly status: number;
  readonly text: string;
}

export interface AdminQuestion {
  readonly method: 'GET' | 'POST';
  /** With the query. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
  readonly token?: string;
}

/** Options that every command has which asks admin. */
export const adminOptions = {
  admin: { type: 'string', default: 'http://127.0.0.1:9090' },
} as const;

const SILENCE_MS = 60_000;
const MAX_ANSWER_BYTES = 64 * 1_048_576;

export function adminUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== 'http:')
    throw new UsageError(`--admin wants a URL such as http://127.0.0.1:9090, not ${JSON.stringify(text)}`);
  return url;
}

/** The token that changes need: HEADGEAR_ADMIN_TOKEN, or the file. Throws the system's error when that cannot be read. */
export function adminToken(env: Environment, file: string): string {
  return (env.HEADGEAR_ADMIN_TOKEN ?? readFileSync(file, 'latin1')).trim();
}

/** What admin answers to a question that changes nothing, or null after its refusal was shown. */
export async function askText(command: string, admin: URL, path: string, io: Io): Promise<string | null> {
  const { status, text } = await askAdmin(admin, { method: 'GET', path });
  if (status === 200) return text;
  sayRefusal(command, { status, text }, io);
  return null;
}

export function sayRefusal(command: string, { status, text }: AdminAnswer, io: Io): void {
  io.err(`headgear ${command}: ${status}: ${plain(text.trim().slice(0, 500))}`);
}

/** Rejects with the system's error (`ECONNREFUSED`, ...), or when the answer makes no sense. */
export function askAdmin(admin: URL, question: AdminQuestion): Promise<AdminAnswer> {
  const { method, path, body, token } = question;
  const sent = body === undefined ? null : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const asked = request(
      new URL(path, admin),
      {
        method,
        agent: false,
        headers: {
          ...(sent === null
            ? {}
            : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(sent) }),
          ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        },
      },
      (response) => {
        const pieces: Buffer[] = [];
        let bytes = 0;
        response.on('data', (piece: Buffer) => {
          bytes += piece.length;
          pieces.push(piece);
          if (bytes > MAX_ANSWER_BYTES) asked.destroy(new Error('the answer is endless'));
        });
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(pieces, bytes).toString('utf8') }),
        );
      },
    );
    asked.setTimeout(SILENCE_MS, () => asked.destroy(new Error('admin does not answer')));
    asked.on('error', reject);
    asked.end(sent ?? undefined);
  });
}
