/** Waiting for conditions: a server that listens, a program that ends. */
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { Child } from './children.ts';

const READY_WITHIN_MS = 15_000;
const LOOK_EVERY_MS = 25;

/** Resolves once `holds` does; rejects when the child has ended or 15 s are over. */
export async function until(
  what: string,
  child: Child,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const end = performance.now() + READY_WITHIN_MS;
  while (!(await holds())) {
    const epitaph = child.epitaph();
    if (epitaph !== null) throw new Error(epitaph);
    if (performance.now() > end) throw new Error(`${child.name}: ${what} did not come about in time`);
    await setTimeout(LOOK_EVERY_MS);
  }
}

/** Resolves once something listens on a loopback port. */
export function untilConnectable(port: number, child: Child): Promise<void> {
  return until(`a listener on port ${port}`, child, () => connectable(port));
}

function connectable(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
