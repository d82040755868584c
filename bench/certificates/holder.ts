/** A server that holds many certificates, as `certificates-10k` compares them. */
import { once } from 'node:events';
import tls from 'node:tls';
import type { MadeCertificate } from '../certificate-maker.ts';
import type { Child, Children } from '../children.ts';

export interface HolderScenery {
  readonly dir: string;
  readonly children: Children;
  readonly certificates: readonly MadeCertificate[];
}

export interface Holder {
  readonly name: string;
  readonly child: Child;
  readonly port: number;
  /** From the start of its process until it serves, in ms. */
  readonly startMs: number;
  /** How an update is done, in a few words. */
  readonly updateBy: string;
  /** Puts this certificate in the place of the former one of its name. */
  update(certificate: MadeCertificate): Promise<void>;
}

/** The PEM of the certificate that a handshake under this name gets; null where there is none. */
export async function servedCertificate(port: number, servername: string): Promise<string | null> {
  const socket = tls.connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect');
    const { raw } = socket.getPeerCertificate();
    return raw.toString('base64');
  } catch {
    return null;
  } finally {
    socket.destroy();
  }
}

export function base64Of({ certificatePem }: MadeCertificate): string {
  return certificatePem.replace(/-----[A-Z ]+-----|\n/g, '');
}
