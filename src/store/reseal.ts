/**
 * Rotation: brings every record under the current master key, in bounded transactions between those of the control loop. Nothing of its
 * progress is kept: after a crash it looks at everything again, and what is under the current key already costs a look.
 */

import { keyIdOf } from '../seal/envelope.ts';
import type { KeyRing } from '../seal/key-ring.ts';
import { resealPem } from '../seal/sealed-pem.ts';
import type { AppKey } from '../spi/events.ts';
import type { RecordKey } from './records.ts';
import { resealEntry } from './sealed-records.ts';
import type { Table, Tables } from './tables.ts';
import type { Transactions } from './transactions.ts';
import type { ResealStep, SealedCertificate } from './types.ts';

/** Looked at and written in one step; a step must not hold up an event for long. */
const RECORDS_A_STEP = 200;
/** Bodies in quarantine are larger. */
const ENTRIES_A_STEP = 8;

export interface Resealer {
  /** To be called where no other transaction is under way, until it is done. */
  step(): Promise<ResealStep>;
}

type Walk = () => Promise<ResealStep & { readonly ended: boolean }>;

export function createResealer(tables: Tables, ring: KeyRing, transact: Transactions['run']): Resealer {
  const { certificates, frozenCertificates, quarantine, keys } = tables;
  let target = ring.current().id;
  let walks: Walk[] = [];

  function resealCertificate([app, alias]: [AppKey, string], { id, sealed }: SealedCertificate) {
    const again = resealPem(ring, { app, alias, id }, sealed);
    return again === null ? null : { id, sealed: again };
  }

  function begin(): void {
    target = ring.current().id;
    walks = [
      walkOf(certificates, RECORDS_A_STEP, resealCertificate),
      walkOf(frozenCertificates, RECORDS_A_STEP, resealCertificate),
      walkOf(quarantine, ENTRIES_A_STEP, (_: number, entry) => resealEntry(ring, entry)),
    ];
  }

  function walkOf<V extends { readonly sealed: Uint8Array }, K extends RecordKey>(
    table: Table<V, K>,
    limit: number,
    reseal: (key: K, value: V) => V | null,
  ): Walk {
    let after: K | null = null;
    return async () => {
      const from = after === null ? {} : { start: after, exclusiveStart: true };
      const some = table.entries({ ...from, limit });
      after = some.at(-1)?.[0] ?? null;
      const fresh = some
        .filter(([, { sealed }]) => keyIdOf(sealed) !== target)
        .map(([key, value]) => [key, reseal(key, value)] as const);
      const broken = fresh.filter(([, value]) => value === null).length;
      if (fresh.length > broken) {
        await transact(() => {
          for (const [key, value] of fresh) if (value !== null) table.put(key, value);
        });
      }
      return { resealed: fresh.length - broken, broken, done: false, ended: some.length < limit };
    };
  }

  /** Nothing is under them any more. */
  async function forgetFormer(): Promise<ResealStep> {
    const former = keys.keys().filter((id) => id !== target);
    await transact(() => {
      for (const id of former) keys.remove(id);
    });
    begin();
    return { resealed: 0, broken: 0, done: true };
  }

  begin();
  return {
    async step() {
      // A key that came while another was being brought in: everything from the start.
      if (ring.current().id !== target) begin();
      const walk = walks[0];
      if (walk === undefined) return forgetFormer();
      const { ended, ...step } = await walk();
      if (ended) walks.shift();
      return step;
    },
  };
}
