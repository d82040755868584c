/** Which keys of a configuration name files: made absolute when it is loaded, looked at before anything starts. */
import type { Config } from './schema.ts';

/**
 * read: must exist and be readable. secret: the same, and strangers should not be able to read it. write: its folder must
 * exist. folder: is made when missing.
 */
export type FileUse = 'read' | 'secret' | 'write' | 'folder';

export interface NamedFile {
  readonly path: string;
  readonly file: string;
  readonly use: FileUse;
}

type Change = (file: string) => string;

/** Every file that the configuration names, with the path of its key. */
export function namedFiles(config: Config): NamedFile[] {
  const files: NamedFile[] = [];
  const add = (path: string, file: string | undefined, use: FileUse): void => {
    if (file !== undefined) files.push({ path, file, use });
  };
  add('stateDir', config.stateDir, 'folder');
  for (const [n, certificate] of config.tls.certificates.entries()) {
    add(`tls.certificates[${n}].certFile`, certificate.certFile, 'read');
    add(`tls.certificates[${n}].keyFile`, certificate.keyFile, 'secret');
    add(`tls.certificates[${n}].passPhraseFile`, certificate.passPhraseFile, 'secret');
  }
  add('upstream.tls.caFile', config.upstream.tls.caFile, 'read');
  add('tls.tickets.keysFile', config.tls.tickets.keysFile, 'secret');
  add('masterKey.file', config.masterKey.file, 'secret');
  for (const [n, { caFile, crlFile }] of config.clientCertificates.rules.entries()) {
    add(`clientCertificates.rules[${n}].caFile`, caFile, 'read');
    add(`clientCertificates.rules[${n}].crlFile`, crlFile, 'read');
  }
  add('bus.passcodeFile', config.bus?.passcodeFile, 'secret');
  for (const [n, { tls }] of (config.bus?.hosts ?? []).entries()) {
    add(`bus.hosts[${n}].tls.caFile`, tls?.caFile, 'read');
    add(`bus.hosts[${n}].tls.certFile`, tls?.certFile, 'read');
    add(`bus.hosts[${n}].tls.keyFile`, tls?.keyFile, 'secret');
  }
  add('intake.passcodeFile', config.intake?.passcodeFile, 'secret');
  if (config.log.file !== 'stderr') add('log.file', config.log.file, 'write');
  if (!isAccessLogWord(config.accessLog.file)) add('accessLog.file', config.accessLog.file, 'write');
  return files;
}

/** The configuration with `change` applied to every file that it names. */
export function withFiles(config: Config, change: Change): Config {
  return {
    ...config,
    stateDir: change(config.stateDir),
    tls: {
      ...config.tls,
      tickets: changed(config.tls.tickets, ['keysFile'], change),
      certificates: config.tls.certificates.map((certificate) =>
        changed(certificate, ['certFile', 'keyFile', 'passPhraseFile'], change),
      ),
    },
    upstream: { ...config.upstream, tls: changed(config.upstream.tls, ['caFile'], change) },
    masterKey: changed(config.masterKey, ['file'], change),
    shadow: changed(config.shadow, ['nginxConfDir'], change),
    clientCertificates: {
      ...config.clientCertificates,
      rules: config.clientCertificates.rules.map((rule) => changed(rule, ['caFile', 'crlFile'], change)),
    },
    ...(config.bus === undefined
      ? {}
      : {
          bus: {
            ...changed(config.bus, ['passcodeFile'], change),
            hosts: config.bus.hosts.map((host) =>
              host.tls === undefined
                ? host
                : { ...host, tls: changed(host.tls, ['caFile', 'certFile', 'keyFile'], change) },
            ),
          },
        }),
    ...(config.intake === undefined ? {} : { intake: changed(config.intake, ['passcodeFile'], change) }),
    log: config.log.file === 'stderr' ? config.log : changed(config.log, ['file'], change),
    accessLog: isAccessLogWord(config.accessLog.file)
      ? config.accessLog
      : changed(config.accessLog, ['file'], change),
  };
}

function isAccessLogWord(file: string): boolean {
  return file === 'stdout' || file === 'off';
}

function changed<T extends object>(value: T, keys: readonly (keyof T & string)[], change: Change): T {
  const copy = { ...value } as Record<string, unknown>;
  for (const key of keys) {
    const file = copy[key];
    if (typeof file === 'string') copy[key] = change(file);
  }
  return copy as T;
}
