/** A picture as the events that lead to it, in the broker's order: the application, its endpoints, its aliases, their certificates. */
import { type AppKey, appKeyOf, type RoutingEvent } from '../spi/events.ts';
import { type CertificateFiles, type NginxPicture, readBounded } from './nginx-folder.ts';
import type { Picture, PictureApp, PictureCertificate, SourceProblem } from './picture.ts';

export function* eventsOfApp({ app, scalable, ha, endpoints, aliases }: PictureApp): Generator<RoutingEvent> {
  yield { action: 'create_application', app, scalable, ha };
  for (const endpoint of endpoints) yield { action: 'add_public_endpoint', app, endpoint };
  for (const alias of aliases) yield { action: 'add_alias', app, alias };
}

/** How many events `nginxEvents` gives. */
export function countEvents({ apps, certificateFiles }: NginxPicture): number {
  let count = certificateFiles.length;
  for (const { endpoints, aliases } of apps.values()) count += 1 + endpoints.length + aliases.length;
  return count;
}

/** Certificates are read one at a time, when their turn comes: thousands of keys never lie in memory at once. */
export async function* nginxEvents(
  picture: NginxPicture,
  problem: (problem: SourceProblem) => void,
): AsyncGenerator<RoutingEvent> {
  yield* eventsOfPicture(picture);
  for (const files of picture.certificateFiles) {
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
): Promise<Extract<RoutingEvent, { action: 'add_ssl' }> | null> {
  const say = (code: string, where: string, reason: string): void => problem({ code, where, reason });
  const certificatePem = await readBounded(certFile, say);
  const privateKeyPem = await readBounded(keyFile, say);
  if (certificatePem === null || privateKeyPem === null) return null;
  return {
    action: 'add_ssl',
    app,
    alias,
    certificatePem,
    privateKeyPem,
    passPhrase: null,
  };
}

/** The picture with its certificates and keys read: for a comparison, which needs all of them. */
export async function withCertificates(picture: NginxPicture): Promise<Picture> {
  const problems = [...picture.problems];
  const byApp = new Map<AppKey, PictureCertificate[]>();
  for (const files of picture.certificateFiles) {
    const event = await certificateEvent(files, (problem) => void problems.push(problem));
    if (event === null) continue;
    const { action: _action, app, ...certificate } = event;
    byApp.set(appKeyOf(app), [...(byApp.get(appKeyOf(app)) ?? []), certificate]);
  }
  const apps = [...picture.apps].map(
    ([key, app]) => [key, { ...app, certificates: byApp.get(key) ?? [] }] as const,
  );
  return { ...picture, apps: new Map(apps), problems };
}
