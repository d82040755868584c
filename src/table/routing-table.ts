/** The routing table as it is published: plain data (structured-cloneable) that crosses from the control to the data plane. */
import type { AppKey } from '../spi/events.ts';

/** What is spoken to an endpoint: `both` is HTTP/2 for all but upgrades. */
export type HttpVersions = 'http1' | 'http2' | 'both';

/** Somewhere to send a request. `address` is literal: the data plane never resolves. */
export interface PublishedEndpoint {
  /** Identity of a connection pool: owner, address, port, transport and what is spoken. A new owner of a port is a new endpoint. */
  readonly id: string;
  readonly gearId: string;
  readonly address: string;
  readonly port: number;
  readonly tls: boolean;
  readonly versions: HttpVersions;
  readonly verifyTls: boolean;
}

/** Where the requests of one application go. Frozen by agreement: a request keeps the one it began with. */
export interface AppRoute {
  readonly app: AppKey;
  /** `app-ns.domain`: SNI towards TLS gears is the request's Host; this is for logs and metrics. */
  readonly name: string;
  readonly endpoints: readonly PublishedEndpoint[];
  /** Node frontends of the application's proxy gears, http and https; empty unless an alias of it goes there. */
  readonly nodeFrontendsHttp: readonly PublishedEndpoint[];
  readonly nodeFrontendsHttps: readonly PublishedEndpoint[];
  /**
   * Where TLS connections go undecrypted, `tls: false` because we speak none there. Without any `endpoints` the application speaks
   * nothing but TLS.
   */
  readonly passThrough: readonly PublishedEndpoint[];
}

export type HostKind = 'plain' | 'ha' | 'alias';

export interface HostRoute {
  readonly app: AppKey;
  readonly kind: HostKind;
  /** Alias traffic by the node frontend (upgrade requests go to the endpoints all the same). */
  readonly viaNodeFrontend: boolean;
}

interface CertificateHead {
  readonly id: string;
  /** `rsa`, `ec` or `ed25519`, and its size: which clients can verify it. Absent: every client is taken to. */
  readonly keyType?: string;
  readonly keyBits?: number;
  /** Epoch milliseconds until which clients can believe it; 0: never, for its names do not cover the alias. Absent: nothing is known against it. */
  readonly validUntil?: number;
  /** When it is served, both ends included; absent: always. Outside of it handshakes get what they would get without it. */
  readonly served?: ServedTime;
}

/** Of an alias: chain and private key under the master key. The data plane opens them when a handshake wants them, and needs no disk for it. */
export interface SealedPublishedCertificate extends CertificateHead {
  readonly app: AppKey;
  readonly alias: string;
  readonly sealed: Uint8Array;
}

/** Of the platform, from files that the operator guards. */
export interface ClearPublishedCertificate extends CertificateHead {
  readonly chainPem: string;
  readonly keyPem: string;
}

export type PublishedCertificate = SealedPublishedCertificate | ClearPublishedCertificate;

/** Epoch milliseconds; null: no end on that side. */
export interface ServedTime {
  readonly from: number | null;
  readonly until: number | null;
}

/** What changed between two generations; from an empty table, the whole of it. `null` means gone. */
export interface TableChanges {
  readonly generation: number;
  readonly apps: readonly (readonly [AppKey, AppRoute | null])[];
  readonly hosts: readonly (readonly [string, HostRoute | null])[];
  /** By host: the certificate that its TLS handshakes get; platform certificates are not here but in the configuration. */
  readonly certificates: readonly (readonly [string, PublishedCertificate | null])[];
}
