import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SCENARIOS, type Scenario } from '../../bench/scenarios.ts';
import { leadInMs, secondsWithLeadIn, steadyCpuUs } from '../../bench/steady.ts';

function scenario(name: string): Scenario {
  const found = SCENARIOS.find((one) => one.name === name);
  assert.ok(found !== undefined, name);
  return found;
}

describe('CPU a request from when the connections are up', () => {
  it('leaves out what the handshakes took, and the requests of that time', () => {
    const start = { cpuUs: 1_000, requests: 50 };
    const led = { cpuUs: 101_000, requests: 1_050 };
    const end = { cpuUs: 141_000, requests: 2_050 };
    assert.equal(steadyCpuUs(start, led, end, 2_000), 40);
  });

  it('takes no notice of requests that the origin sees twice', () => {
    const start = { cpuUs: 0, requests: 0 };
    const led = { cpuUs: 100_000, requests: 2_000 };
    const end = { cpuUs: 140_000, requests: 4_000 };
    assert.equal(steadyCpuUs(start, led, end, 2_000), 40);
  });

  it('is unknown without an origin that counts, without a count of CPU, and for a target that answers by itself', () => {
    const start = { cpuUs: 0, requests: 0 };
    const led = { cpuUs: 100, requests: 10 };
    const end = { cpuUs: 200, requests: 20 };
    assert.equal(steadyCpuUs(start, led, { ...end, requests: null }, 20), null);
    assert.equal(steadyCpuUs(start, { ...led, cpuUs: null }, end, 20), null);
    assert.equal(steadyCpuUs(start, led, end, 1_000), null);
    assert.equal(steadyCpuUs(start, { ...led, requests: 20 }, end, 20), null);
  });

  it('lets each connection come up, in a longer run where they are many', () => {
    assert.equal(leadInMs(scenario('hop-http-1k-64'), 1), 264);
    assert.equal(secondsWithLeadIn(1, 264), 1);
    assert.equal(leadInMs(scenario('hop-https-1k-64'), 1), 584);
    assert.equal(secondsWithLeadIn(1, 584), 2);
    assert.equal(secondsWithLeadIn(2, leadInMs(scenario('hop-https-1k-1000'), 2)), 9);
  });

  it('is that of the whole run where connections are the subject, requests few, or the run short', () => {
    const whole = [
      'connect-https-1k-64',
      'hop-https-10m-16',
      'hop-http-upload-10m-16',
      'websocket-https-echo-64',
    ];
    for (const name of whole) assert.equal(leadInMs(scenario(name), 4), 0, name);
    assert.equal(leadInMs(scenario('hop-https-1k-64'), 0.2), 0);
  });
});
