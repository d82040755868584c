/** Waiting for a certificate to be served. */
import { setTimeout } from 'node:timers/promises';
import type { MadeCertificate } from '../certificate-maker.ts';
import type { Child } from '../children.ts';
import { base64Of, servedCertificate } from './holder.ts';

/** nginx reads ten thousand certificates for a minute and more on a busy machine. */
const PATIENCE_MS = 600_000;
const LOOK_EVERY_MS = 5;

/** Resolves once handshakes get the last of these certificates under its name. */
export async function untilServing(
  port: number,
  certificates: readonly MadeCertificate[],
  child: Child,
): Promise<void> {
  const last = certificates.at(-1);
  if (last === undefined) throw new Error('no certificates');
  const end = performance.now() + PATIENCE_MS;
  while ((await servedCertificate(port, last.name)) !== base64Of(last)) {
    const epitaph = child.epitaph();
    if (epitaph !== null) throw new Error(epitaph);
    if (performance.now() > end) throw new Error(`${child.name} does not serve ${last.name}`);
    await setTimeout(LOOK_EVERY_MS);
  }
}
