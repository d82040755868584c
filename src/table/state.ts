/**
 * Routing state: everything known, as persistent maps, so that `transition` is pure and yet costs what it changes
 * (copying a plain Map of 100,000 entries for one event takes 51 ms). immutable.js is owned by this room.
 */
import type { OrderedMap } from 'immutable';
import type { AppKey, EndpointFacts } from '../spi/events.ts';
import type { CertificateRef } from './certificate-ref.ts';
import { LayeredMap } from './layered-map.ts';
import { OrderedMap as newOrderedMap } from './persistent.ts';

/** A certificate that was refused for an alias: shown, never served. */
export interface CertificateRefusal {
  readonly code: string;
  readonly reason: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

export interface AliasRecord {
  readonly alias: string;
  /** False while only `add_ssl` was seen: the certificate is held, the name is not routed. */
  readonly announced: boolean;
  /** Order of the claim: of two applications that hold one alias, the higher claim has it. */
  readonly claim: number;
  readonly certificate: CertificateRef | null;
  readonly refusal: CertificateRefusal | null;
  /** `claim`: the one that it has without the pin. */
  readonly pin?: Pin & { readonly claim: number };
  /** Epoch milliseconds until which the certificate is still served after its removal; absent: it was not removed. */
  readonly retiresAt?: number;
  /** Epoch milliseconds at which a certificate replaced this one's former without a remove: that may still come. */
  readonly replacedAt?: number;
}

/** Held by an operator, whatever events say. */
export interface Pin {
  /** Epoch milliseconds. */
  readonly at: number;
  /** Whether events say that it is there: unpinning ends with that. */
  readonly announced: boolean;
}

export interface EndpointRecord extends EndpointFacts {
  readonly pin?: Pin;
  /** Epoch milliseconds at which an add changed these facts: the remove that belonged before it may still come. */
  readonly replacedAt?: number;
}

/** What is remembered of an application that was deleted. */
export interface Tombstone {
  /** Epoch milliseconds of the arrival of its delete_application. */
  readonly at: number;
  /** Epoch milliseconds at which the message bus took that, where it said so. */
  readonly sentAt: number | null;
}

/** `address:port`, IPv6 in brackets. */
export type EndpointKey = string;

export interface Application {
  readonly key: AppKey;
  readonly appName: string;
  readonly namespace: string;
  readonly scalable: boolean | null;
  readonly ha: boolean | null;
  /** Lowest gear id ever seen: the head gear (domain.md 3). */
  readonly headGearId: string | null;
  /** Deleted by events; only what is pinned is left of it. */
  readonly ghost?: true;
  /** In order of arrival; unique by address and port. */
  readonly endpoints: readonly EndpointRecord[];
  /** In order of claim. */
  readonly aliases: readonly AliasRecord[];
}

/** Who holds a host name. An implied name beats an alias; of implied ones the plain name beats the ha- name. */
export interface NameClaims {
  readonly plain: AppKey | null;
  readonly ha: AppKey | null;
  /** Announced alias claims, lowest claim first. */
  readonly aliases: readonly { readonly app: AppKey; readonly claim: number }[];
}

export interface RoutingState {
  readonly apps: LayeredMap<AppKey, Application>;
  readonly endpointOwners: LayeredMap<EndpointKey, AppKey>;
  readonly names: LayeredMap<string, NameClaims>;
  /** Next claim number; rises by one an alias claim. */
  readonly nextClaim: number;
  /** Of applications deleted not long ago, oldest first. */
  readonly tombstones: OrderedMap<AppKey, Tombstone>;
}

export const emptyState: RoutingState = {
  apps: LayeredMap.over(),
  endpointOwners: LayeredMap.over(),
  names: LayeredMap.over(),
  nextClaim: 1,
  tombstones: newOrderedMap(),
};
