/** The control loop and the table as admin sees them. */
import type { Control } from '../control/create-control.ts';
import { readManual } from '../control/manual.ts';
import { takeEvents } from '../control/take-events.ts';
import { describeApp, describeHost, describePage, describeTable } from '../table/describe.ts';
import type { TablePolicy } from '../table/policy.ts';
import type { ControlView } from './views.ts';

export function controlView(control: Control, policy: TablePolicy): ControlView {
  return {
    status: control.status,
    digest: control.digest,
    notReady: () => (control.status().confirmedGeneration > 0 ? null : 'the first table is not served yet'),
    table() {
      const state = control.state();
      const { generation } = control.status();
      return { generation, total: state.apps.size, apps: describeTable(state, policy) };
    },
    tablePage: (offset, limit) => describePage(control.state(), policy, offset, limit),
    app: (key) => describeApp(control.state(), key, policy),
    host: (host) => describeHost(control.state(), host, policy),
    quarantined: control.quarantined,
    quarantineEntry: control.quarantine.entry,
    settleQuarantine(verb, ids) {
      const chosen = [...(ids ?? control.quarantine.ids())].sort((a, b) => a - b);
      return Promise.all(chosen.map(async (id) => ({ id, ...(await control.quarantine[verb](id)) })));
    },
    findings: control.findings,
    certificates: (only) => control.certificates[only](),
    subscribe: control.subscribe,
    takeEvents: (text, source) => takeEvents(control, text, source, Date.now()),
    async setFrozen(verb) {
      const result = await control.setFrozen(verb);
      return { status: result.outcome === 'refused' ? 409 : 200, ...result };
    },
    async manual(request) {
      const read = readManual(request);
      if (!read.ok) return { status: 400, outcome: 'refused', ...read.rejection, notes: [] };
      const result = await control.command(read.event);
      return { status: result.outcome === 'refused' ? 409 : 200, ...result };
    },
  };
}
