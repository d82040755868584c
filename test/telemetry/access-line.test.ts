import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { accessLine } from '../../src/telemetry/access-line.ts';
import { finishedRequest } from './contexts.ts';

/** Every line must look like this, whatever clients and tenants send. */
const LINE =
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [!#-~]+ [!#-~]+ [!#-~]+ "[ !#-~]+" HTTP\/[\d.]+ \d+ \d+ \d+ \d+\.\d{3} (\d+\.\d{3}|-) [!#-~]+ [!#-~]+ \d+ [!#-~]+ "[ !#-~]+" "[ !#-~]+"\n$/;

describe('access line', () => {
  it('shows every field in its place', () => {
    assert.equal(
      accessLine(finishedRequest(), 1_234),
      '2026-11-21T12:30:15.042Z 203.0.113.9 GET www.example.com "/a?b=c" HTTP/1.1 200 3 1024 1.234 0.850 ' +
        'shop/store 172.16.4.200:50847 1 - "curl/8.5" "https://www.example.com/"\n',
    );
  });

  it('shows a dash for what is not there', () => {
    const bare = finishedRequest({
      method: '',
      target: '',
      host: '',
      app: '',
      endpoint: '',
      attempts: 0,
      status: 0,
      upstreamFirstByteUs: 0,
      failure: 'EDGE_HEAD_TIMEOUT',
      userAgent: '',
      referer: '',
    });
    assert.match(
      accessLine(bare, 15_000_001),
      / 203\.0\.113\.9 - - "-" HTTP\/1\.1 0 3 1024 15000\.001 - - - 0 EDGE_HEAD_TIMEOUT "-" "-"\n$/,
    );
  });

  it('lets no client forge a line with a line feed in the user agent', () => {
    const attack = 'x"\r\n2026-11-21T12:30:15.042Z 10.0.0.1 GET admin.example.com "/" HTTP/1.1 200';
    const line = accessLine(finishedRequest({ userAgent: attack }), 1);
    assert.equal(line.indexOf('\n'), line.length - 1);
    assert.match(line, /"x\\x22\\x0d\\x0a2026/);
    assert.match(line, LINE);
  });

  it('lets no client end a field with a quote or hide one behind a backslash', () => {
    const line = accessLine(finishedRequest({ target: '/"\\" 500', referer: '\\' }), 1);
    assert.match(line, /"\/\\x22\\x5c\\x22 500" /);
    assert.match(line, /"\\x5c"\n$/);
    assert.match(line, LINE);
  });

  it('escapes blanks outside of quotes', () => {
    assert.match(accessLine(finishedRequest({ host: 'a b', method: 'G T' }), 1), / G\\x20T a\\x20b "/);
  });

  it('escapes bytes beyond ASCII and terminal escape sequences', () => {
    const line = accessLine(finishedRequest({ userAgent: '\x1b[2Jcaf\xe9\x7f\u2028' }), 1);
    assert.match(line, /"\\x1b\[2Jcaf\\xe9\\x7f\\u2028"/);
  });

  it('cuts long values so that a client cannot fill the disk faster than it sends', () => {
    const line = accessLine(
      finishedRequest({ target: `/${'a'.repeat(16_000)}`, userAgent: '\0'.repeat(30_000) }),
      1,
    );
    assert.ok(line.length < 10_000);
    assert.match(line, /\\x00\\\.\.\." /);
    assert.match(line, LINE);
  });

  it('answers the same for a value that it saw before, under whichever field', () => {
    const context = finishedRequest({ host: 'a"b', userAgent: 'a"b c', referer: 'a"b c' });
    assert.equal(accessLine(context, 1), accessLine(context, 1));
    const swapped = finishedRequest({ userAgent: 'www.example.com', host: 'curl/8.5' });
    assert.match(accessLine(swapped, 1), / curl\/8\.5 "\/a\?b=c" .* "www\.example\.com" "/);
  });

  it('keeps its shape whatever the values are', () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 });
    fc.assert(
      fc.property(
        fc.record({ method: text, target: text, host: text, app: text, endpoint: text }),
        (values) => LINE.test(accessLine(finishedRequest(values), 5)),
      ),
    );
    fc.assert(
      fc.property(
        fc.record({ failure: text, userAgent: text, referer: text, clientAddress: text }),
        (values) => LINE.test(accessLine(finishedRequest(values), 5)),
      ),
    );
  });
});
