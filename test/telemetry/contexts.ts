import type { RequestContext } from '../../src/telemetry/request-context.ts';

/** A finished, successful request. */
export function finishedRequest(changes: Partial<RequestContext> = {}): RequestContext {
  return {
    startedAtUs: Date.UTC(2026, 10, 21, 12, 30, 15, 42) * 1_000 + 7,
    clientAddress: '203.0.113.9',
    clientPort: 40_001,
    scheme: 'https',
    protocol: 'HTTP/1.1',
    method: 'GET',
    target: '/a?b=c',
    host: 'www.example.com',
    app: 'shop/store',
    generation: 7,
    endpoint: '172.16.4.200:50847',
    gearId: '52af7c55b8a0d4a1e8000001',
    attempts: 1,
    status: 200,
    bytesIn: 3,
    bytesOut: 1_024,
    upstreamFirstByteUs: 850,
    failure: '',
    userAgent: 'curl/8.5',
    referer: 'https://www.example.com/',
    ...changes,
  };
}
