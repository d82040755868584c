/** The public port of a scaled gear: a real HAProxy, configured as OpenShift's haproxy cartridge is (domain.md 5). */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from './child.ts';
import { request } from './client.ts';
import { eventually } from './eventually.ts';
import { requirePart } from './parts.ts';
import { freePort } from './ports.ts';

export interface HaproxyGear {
  readonly address: string;
  readonly port: number;
  /** Stops as a reload does: no new connections, open requests finish. */
  stopSoftly(): Promise<void>;
  stop(): Promise<void>;
}

export interface HaproxyGearOptions {
  /** Default 127.0.0.1. */
  readonly address?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Every haproxy of an application balances over all of its web gears and knows them by the same cookies. */
  readonly webGears: readonly { readonly name: string; readonly port: number }[];
}

function configuration(address: string, port: number, webGears: HaproxyGearOptions['webGears']): string {
  const server = ({ name, port: webPort }: { name: string; port: number }) =>
    `  server gear-${name} 127.0.0.1:${webPort} check fall 2 rise 3 inter 2000 weight 1 cookie ${name}`;
  return `global
  maxconn 256

defaults
  mode http
  option dontlognull
  option http-server-close
  option redispatch
  retries 3
  timeout http-request 10s
  timeout queue 1m
  timeout connect 10s
  timeout client 1m
  timeout server 1m
  timeout http-keep-alive 10s
  timeout check 10s
  maxconn 128

listen express
  bind ${address}:${port}
  cookie GEAR insert indirect nocache
  option httpchk GET /
  http-check expect rstatus 2..|3..|401
  balance leastconn
${webGears.map(server).join('\n')}
`;
}

/** Resolves when it answers. Ask `skipWithout('haproxy')` first. */
export async function startHaproxyGear(options: HaproxyGearOptions): Promise<HaproxyGear> {
  const { address = '127.0.0.1', webGears } = options;
  const port = options.port ?? (await freePort(address));
  const folder = mkdtempSync(join(tmpdir(), 'headgear-haproxy-'));
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(file, configuration(address, port, webGears));
  const child = await startChild(requirePart('haproxy'), ['-db', '-f', file]);
  const end = async (signal: NodeJS.Signals) => {
    await child.end(signal);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually(
      async () => {
        if (!child.running) throw new Error(`HAProxy did not start:\n${child.stderr()}`);
        const answer = await request({ address, port }).catch(() => null);
        return answer?.status === 200;
      },
      'an answer through HAProxy',
      30_000,
    );
  } catch (error) {
    await end('SIGKILL');
    throw error;
  }
  return { address, port, stopSoftly: () => end('SIGUSR1'), stop: () => end('SIGKILL') };
}
