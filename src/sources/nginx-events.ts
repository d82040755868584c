/** A picture as the events that lead to it, in the broker's order: the application, its endpoints, its aliases, their certificates. */
import type { AppRef, RoutingEvent } from '../spi/events.ts';
import { type CertificateFiles, type NginxPicture, readBounded } from './nginx-folder.ts';
import type { Picture, PictureApp, SourceProblem } from './picture.ts';

export function* eventsOfApp({ app, scalable, ha, endpoints, aliases }: PictureApp): Generator<RoutingEvent> {
  yield { action: 'create_application', app, scalable, ha };
  for (const endpoint of endpoints) yield { action: 'add_public_endpoint', app, endpoint };
  for (const alias of aliases) yield { action: 'add_alias', app, alias };
}

/** How many events `nginxEvents` gives. */
export function countEvents({ apps, certificates }: NginxPicture): number {
  let count = certificates.length;
  for (const { endpoints, aliases } of apps.values()) count += 1 + endpoints.length + aliases.length;
  return count;
}

/** Certificates are read one at a time, when their turn comes: thousands of keys never lie in memory at once. */
export async function* nginxEvents(
  picture: NginxPicture,
  problem: (problem: SourceProblem) => void,
): AsyncGenerator<RoutingEvent> {
  yield* eventsOfPicture(picture);
  for (const files of picture.certificates) {
    const event = await certificateEvent(files, problem);
    if (event !== null) yield event;
  }
}

function* eventsOfPicture({ apps }: Picture): Generator<RoutingEvent> {
  for (const app of apps.values()) yield* eventsOfApp(app);
}

async function certificateEvent(
  { app, alias, certFile, keyFile }: CertificateFiles,
  problem: (problem: SourceProblem) => void,
): Promise<RoutingEvent | null> {
  const say = (code: string, where: string, reason: string): void => problem({ code, where, reason });
  const certificatePem = await readBounded(certFile, say);
  const privateKeyPem = await readBounded(keyFile, say);
  if (certificatePem === null || privateKeyPem === null) return null;
  return {
    action: 'add_ssl',
    app: app satisfies AppRef,
    alias,
    certificatePem,
    privateKeyPem,
    passPhrase: null,
  };
}
