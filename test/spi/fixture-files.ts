/** The event bodies under test/fixtures/spi, found from the built test as well as from the source. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { DocumentLimits } from '../../src/spi/document.ts';
import type { Decoded, RoutingEvent } from '../../src/spi/events.ts';

const FOLDER = fileURLToPath(new URL('../../../test/fixtures/spi/', import.meta.url));

export const EMITTERS = ['psych-1.2.2', 'psych-2.0.17'] as const;

/** The defaults of the configuration. */
export const LIMITS: DocumentLimits = { maxBodyBytes: 1_048_576, maxDepth: 16, maxAliases: 16 };

export function fixtureNames(emitter: string): string[] {
  return readdirSync(`${FOLDER}${emitter}`).sort();
}

export function fixture(emitter: string, name: string): Buffer {
  return readFileSync(`${FOLDER}${emitter}/${name}`);
}

export function eventOf(decoded: Decoded): RoutingEvent {
  if (decoded.kind !== 'event') throw new Error(`expected an event, got ${JSON.stringify(decoded)}`);
  return decoded.event;
}

export function rejectionOf(decoded: Decoded): { code: string; reason: string } {
  if (decoded.kind !== 'rejected') throw new Error(`expected a rejection, got ${JSON.stringify(decoded)}`);
  return decoded.rejection;
}
