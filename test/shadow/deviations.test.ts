import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviationsOf } from '../../src/shadow/deviations.ts';
import type { OwnHost } from '../../src/shadow/own-hosts.ts';
import type { FollowedHost } from '../../src/sources/nginx-follow.ts';

const nginx = (ports: readonly number[], fingerprint: string | null = null): FollowedHost => ({
  members: ports.map((port) => ({ address: '10.0.0.1', port })),
  fingerprint,
});
const own = (endpoints: readonly string[], over: Partial<OwnHost> = {}): OwnHost => ({
  ...{ app: 'shop/store', kind: 'alias', certificate: null, endpoints },
  ...over,
});
const between = (theirs: FollowedHost | null, ours: OwnHost | null) =>
  deviationsOf(
    theirs,
    ours,
    (address, port) => `${address}:${port}`,
    ({ id }) => (id === 'gone' ? null : `sha-${id}`),
  ).map(({ kind, subject }) => (subject === '' ? kind : `${kind} ${subject}`));
const certificate = (id: string) => ({ certificate: { id, app: 'shop/store', alias: 'www.example.com' } });

test('a host of one side alone differs, unless it leads nowhere on that side too', () => {
  assert.deepEqual(between(nginx([1]), null), ['missing']);
  assert.deepEqual(between(null, own(['10.0.0.1:1'])), ['extra']);
  assert.deepEqual([between(nginx([]), null), between(null, own([])), between(null, null)], [[], [], []]);
});

test('plain names, which the routing daemon never makes, are compared only where nginx knows them', () => {
  assert.deepEqual(between(null, own(['10.0.0.1:1'], { kind: 'plain' })), []);
  assert.deepEqual(between(nginx([2]), own(['10.0.0.1:1'], { kind: 'plain' })), [
    'endpoint-missing 10.0.0.1:2',
    'endpoint-extra 10.0.0.1:1',
  ]);
});

test('endpoints differ by what is dialled and spoken, in no order', () => {
  assert.deepEqual(between(nginx([2, 1]), own(['10.0.0.1:1', '10.0.0.1:2'])), []);
  assert.deepEqual(between(nginx([1]), own(['10.0.0.1:1 tls'])), [
    'endpoint-missing 10.0.0.1:1',
    'endpoint-extra 10.0.0.1:1 tls',
  ]);
});

test('certificates differ by fingerprint, and one of its own differs from the platform’s', () => {
  const endpoints = ['10.0.0.1:1'];
  assert.deepEqual(between(nginx([1], 'sha-a'), own(endpoints, certificate('a'))), []);
  assert.deepEqual(between(nginx([1], 'sha-b'), own(endpoints, certificate('a'))), [
    'certificate sha-a instead of sha-b',
  ]);
  assert.deepEqual(between(nginx([1], 'sha-b'), own(endpoints)), ['certificate platform instead of sha-b']);
  assert.deepEqual(between(nginx([1]), own(endpoints, certificate('gone'))), [
    'certificate unknown instead of platform',
  ]);
});
