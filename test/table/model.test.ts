/** The table against a model that is too simple to be wrong: lists and sets, searched from end to end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { appKeyOf } from '../../src/spi/events.ts';
import { certificateId } from '../../src/table/certificate-ref.ts';
import type { TableEvent } from '../../src/table/events.ts';
import type { HostRoute, PublishedCertificate } from '../../src/table/routing-table.ts';
import { eventIn, sharedWorld } from './arbitrary-events.ts';
import { stateAfter, tableOf } from './scenery.ts';

interface Model {
  readonly apps: Set<string>;
  /** Endpoint -> owner, gear and whether HTTP may go there; the last add decides. */
  readonly endpoints: Map<string, { app: string; gearId: string; routable: boolean }>;
  /** Announced (application, alias) pairs, oldest first. */
  claims: { app: string; alias: string }[];
  /** `app alias` -> certificate id. */
  readonly certificates: Map<string, string>;
}

function apply(model: Model, event: TableEvent): void {
  const app = appKeyOf(event.app);
  switch (event.action) {
    case 'create_application':
      model.apps.add(app);
      return;
    case 'delete_application':
      model.apps.delete(app);
      for (const [key, { app: owner }] of model.endpoints) if (owner === app) model.endpoints.delete(key);
      model.claims = model.claims.filter((claim) => claim.app !== app);
      for (const slot of model.certificates.keys()) {
        if (slot.startsWith(`${app} `)) model.certificates.delete(slot);
      }
      return;
    case 'add_public_endpoint': {
      const { address, port, gearId, types, protocols } = event.endpoint;
      if (address.startsWith('127.')) return;
      model.apps.add(app);
      const routable = types.includes('load_balancer') && !protocols.includes('tcp');
      model.endpoints.set(`${address}:${port}`, { app, gearId, routable });
      return;
    }
    case 'remove_public_endpoint': {
      const key = `${event.address}:${event.port}`;
      const held = model.endpoints.get(key);
      if (held?.app === app && held.gearId === event.gearId) model.endpoints.delete(key);
      return;
    }
    case 'add_alias':
      model.apps.add(app);
      if (!model.claims.some((claim) => claim.app === app && claim.alias === event.alias)) {
        model.claims.push({ app, alias: event.alias });
      }
      return;
    case 'remove_alias':
      model.claims = model.claims.filter((claim) => claim.app !== app || claim.alias !== event.alias);
      model.certificates.delete(`${app} ${event.alias}`);
      return;
    case 'add_ssl':
      model.apps.add(app);
      model.certificates.set(`${app} ${event.alias}`, certificateId(event.certificate));
      return;
    case 'refuse_ssl':
      model.apps.add(app);
      return;
    case 'remove_ssl':
      model.certificates.delete(`${app} ${event.alias}`);
      return;
  }
}

/** Host -> [application, certificate], as the rules of precedence say. */
function hostsOf(model: Model): Map<string, readonly [string, string | null]> {
  const winners = new Map<string, string>();
  for (const { app, alias } of model.claims) winners.set(alias, app);
  const named = (prefix: string) => {
    for (const key of model.apps) {
      const [namespace, name] = key.split('/');
      winners.set(`${prefix}${name}-${namespace}.apps.test`, key);
    }
  };
  named('ha-');
  named('');
  return new Map(
    [...winners].map(([host, app]) => {
      const announced = model.claims.some((claim) => claim.app === app && claim.alias === host);
      return [host, [app, (announced && model.certificates.get(`${app} ${host}`)) || null]];
    }),
  );
}

test('whatever comes, hosts, certificates and endpoints are those of the model', () => {
  fc.assert(
    fc.property(fc.array(eventIn(sharedWorld), { maxLength: 80, size: 'max' }), (events) => {
      const model: Model = { apps: new Set(), endpoints: new Map(), claims: [], certificates: new Map() };
      for (const event of events) apply(model, event);
      const table = tableOf(stateAfter(events));
      assert.deepEqual(new Set(table.apps.keys()), model.apps);
      const published = [...table.hosts].map(([host, route]) => {
        const certificate = table.certificates.get(host) as PublishedCertificate | undefined;
        return [host, [(route as HostRoute).app, certificate?.id ?? null]] as const;
      });
      assert.deepEqual(new Map(published), hostsOf(model));
      for (const [key, route] of table.apps) {
        const { endpoints } = route as { endpoints: { address: string; port: number }[] };
        const expected = [...model.endpoints].filter(([, { app, routable }]) => app === key && routable);
        assert.deepEqual(
          endpoints.map(({ address, port }) => `${address}:${port}`).sort(),
          expected.map(([where]) => where).sort(),
        );
      }
    }),
    { numRuns: 500 },
  );
});
