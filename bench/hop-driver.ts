/** Runs a bare data plane with one application for profiling: HTTP on PORT (default 18080) to a gear on GEAR_PORT. */
import { configSchema } from '../src/config/schema.ts';
import { createPlane } from '../src/plane/create-plane.ts';
import { createAccessLog } from '../src/telemetry/access-log.ts';
import { createLog } from '../src/telemetry/log.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { createRequestMetrics } from '../src/telemetry/request-metrics.ts';

const config = configSchema.parse({
  cloudDomain: 'apps.example.test',
  listeners: { http: [{ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 18080) }] },
  accessLog: { file: process.env['ACCESS_LOG'] ?? '/dev/null' },
});
const log = createLog(config.log);
const metrics = createMetrics();
const accessLog = createAccessLog(config.accessLog, log);
const requests = createRequestMetrics(metrics);

const plane = createPlane({
  config,
  platformCertificates: [],
  log,
  metrics,
  record(context, us) {
    accessLog.write(context, us);
    requests.record(context, us);
  },
});
await plane.apply({
  generation: 1,
  apps: [
    [
      'ns/app',
      {
        app: 'ns/app',
        name: 'app-ns.apps.example.test',
        nodeFrontendsHttp: [],
        nodeFrontendsHttps: [],
        endpoints: [
          {
            id: 'x',
            gearId: 'g',
            address: '127.0.0.1',
            port: Number(process.env['GEAR_PORT'] ?? 18081),
            tls: false,
            verifyTls: false,
          },
        ],
      },
    ],
  ],
  hosts: [['app-ns.apps.example.test', { app: 'ns/app', kind: 'plain', viaNodeFrontend: false }]],
  certificates: [],
});
await plane.listen();
process.on('SIGTERM', () => process.exit());
