/** Routing events as OpenShift's broker means them (domain.md 1.1), after decoding: names lower-cased, numbers numbers. */

/** An application by its canonical names, both lower-case (legacy rows of the broker are mixed, domain.md 1.1). */
export interface AppRef {
  readonly appName: string;
  readonly namespace: string;
}

/** `namespace/app`, lower-case: the key of an application everywhere. */
export type AppKey = string;

/** The key of an application: `namespace/app`. */
export function appKeyOf({ namespace, appName }: AppRef): AppKey {
  // One event is asked several times in a row; each key made anew would have to be hashed anew too.
  if (latest.namespace !== namespace || latest.appName !== appName)
    latest = { namespace, appName, key: `${namespace}/${appName}` };
  return latest.key;
}

let latest = { namespace: '', appName: '', key: '/' };

export interface Mapping {
  readonly frontend: string;
  readonly backend: string;
}

/** What an application exposes at one port of one gear. */
export interface EndpointFacts {
  readonly gearId: string;
  /** `public_port_name`, really the cartridge's name-version; several endpoints of a gear may share it. */
  readonly cartridge: string;
  readonly address: string;
  readonly port: number;
  readonly protocols: readonly string[];
  readonly types: readonly string[];
  readonly mappings: readonly Mapping[];
}

export type RoutingEvent =
  | {
      readonly action: 'create_application';
      readonly app: AppRef;
      readonly scalable: boolean | null;
      readonly ha: boolean | null;
    }
  | { readonly action: 'delete_application'; readonly app: AppRef }
  | { readonly action: 'add_public_endpoint'; readonly app: AppRef; readonly endpoint: EndpointFacts }
  | {
      readonly action: 'remove_public_endpoint';
      readonly app: AppRef;
      readonly gearId: string;
      readonly address: string;
      readonly port: number;
    }
  | { readonly action: 'add_alias'; readonly app: AppRef; readonly alias: string }
  | { readonly action: 'remove_alias'; readonly app: AppRef; readonly alias: string }
  | {
      readonly action: 'add_ssl';
      readonly app: AppRef;
      readonly alias: string;
      readonly certificatePem: string;
      readonly privateKeyPem: string;
      readonly passPhrase: string | null;
    }
  | { readonly action: 'remove_ssl'; readonly app: AppRef; readonly alias: string };

export type RoutingAction = RoutingEvent['action'];

/** Why a body could not become an event. `code` is stable (`SPI_...`), `reason` is for people and never holds key material. */
export interface Rejection {
  readonly code: string;
  readonly reason: string;
}

/** What one body came to. `notes` count tolerated oddities: unknown fields, synonyms. */
export type Decoded =
  | { readonly kind: 'event'; readonly event: RoutingEvent; readonly notes: readonly string[] }
  | { readonly kind: 'ignored'; readonly action: string }
  | {
      readonly kind: 'rejected';
      readonly rejection: Rejection;
      readonly action: string | null;
      readonly app: AppKey | null;
    };
