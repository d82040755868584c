/** Checks before anything is timed that a target answers rightly and does the work that all do: a figure of a proxy that does less is worth nothing. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { takeLines } from './access-log-lines.ts';
import { type Ask, http1Client, http2Client } from './check-client.ts';
import { BODIES, ORIGIN_BODY } from './origin-bodies.ts';
import { LOADS, SCENARIOS } from './scenarios.ts';
import { HOST, type Target } from './targets/target.ts';
import { openWebSocket } from './websocket-wire.ts';

/** What a client has no business to say; none of it may reach the origin. */
const LIES = {
  'X-Forwarded-For': '6.6.6.6',
  'X-Forwarded-Proto': 'gopher',
  'X-Forwarded-Host': 'evil.example',
  'X-Forwarded-Port': '6',
  'X-Client-IP': '6.6.6.6',
  'X-Request-Start': 't=6',
  Forwarded: 'for=6.6.6.6',
  'X-OpenShift-Host': 'evil.example',
  'X-Forwarded-SSL-Client-Cert': 'lies',
};

export interface CheckOptions {
  readonly caFile: string;
  /** Cipher that every target has to choose, OpenSSL's name. */
  readonly cipher: string;
}

type Way = 'http' | 'https' | 'h2';

/** Rejects with what is wrong. Leaves the access log empty. */
export async function checkTarget(target: Target, options: CheckOptions): Promise<void> {
  const { name, accessLog, httpPort, httpsPort } = target;
  if (accessLog !== null) await takeLines(accessLog, 0);
  let asked = 0;
  for (const way of waysOf(target)) {
    const port = way === 'http' ? httpPort : httpsPort;
    const scheme = way === 'http' ? 'http' : 'https';
    const { ask, close } =
      way === 'h2' ? http2Client(port, options.caFile) : http1Client(way, port, options.caFile);
    const counted: Ask = (path, more) => {
      asked += 1;
      return ask(path, { fields: LIES, ...more });
    };
    try {
      if (accessLog === null) {
        assert.equal((await ask('/')).body.toString('latin1'), ORIGIN_BODY);
        continue;
      }
      await checkFields(counted, way, port, options.cipher);
      await checkBodies(counted);
      if (way === 'h2') continue;
      asked += 1;
      await checkEcho(scheme, port);
    } catch (error) {
      throw new Error(`${name} over ${way}: ${(error as Error).message}`, { cause: error });
    } finally {
      close();
    }
  }
  if (accessLog !== null) await takeLines(accessLog, asked);
}

/** Everything that a scenario will ask of it. */
function waysOf({ name }: Target): ReadonlySet<Way> {
  return new Set(
    SCENARIOS.filter(({ targets }) => targets.includes(name)).map(({ protocol, scheme }) =>
      protocol === 'h2' ? 'h2' : scheme,
    ),
  );
}

async function checkFields(ask: Ask, way: Way, port: number, cipher: string): Promise<void> {
  const { status, tls } = await ask('/');
  assert.equal(status, 200);
  if (way !== 'http') assert.deepEqual(tls, { version: 'TLSv1.3', cipher });
  // Over HTTP/2 a host that the certificate does not name may be refused as misdirected.
  const { status: unknown } = await ask('/', { host: 'unknown.example.test' });
  assert.ok(
    unknown === 404 || (way === 'h2' && unknown === 421),
    `an unknown host must be 404, not ${unknown}`,
  );

  await ask('/echo');
  const seen = fieldsOf((await ask('/echo')).body.toString('latin1'));
  const { 'x-request-start': start = '', 'connection-requests': requests, connection, ...rest } = seen;
  const scheme = way === 'http' ? 'http' : 'https';
  assert.match(start, /^t=\d{10,}(\.\d{3})?$/);
  assert.match(connection ?? '', /^(keep-alive)?$/i);
  assert.ok(Number(requests) > 1, 'the connection to the origin must be kept');
  assert.deepEqual(rest, {
    host: HOST,
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': scheme,
    'x-forwarded-host': HOST,
    'x-forwarded-port': String(port),
    'x-client-ip': '127.0.0.1',
    forwarded: `for=127.0.0.1;proto=${scheme};host="${HOST}"`,
  });
}

/** Every body and every upload, byte for byte. */
async function checkBodies(ask: Ask): Promise<void> {
  for (const [path, body] of [['/', Buffer.from(ORIGIN_BODY)] as const, ...BODIES]) {
    const { body: got } = await ask(path);
    assert.ok(
      got.equals(body),
      `${path} came as ${got.length} bytes that are not the origin's ${body.length}`,
    );
  }
  for (const { uploadBytes } of Object.values(LOADS)) {
    if (uploadBytes === 0) continue;
    const upload = BODIES.get('/10m')?.subarray(-uploadBytes) ?? Buffer.alloc(0);
    const { body: digest } = await ask('/digest', { upload });
    assert.equal(
      digest.toString(),
      createHash('sha256').update(upload).digest('hex'),
      `an upload of ${uploadBytes}`,
    );
    assert.equal((await ask('/sink', { upload })).body.toString(), 'ok\n');
  }
}

async function checkEcho(scheme: 'http' | 'https', port: number): Promise<void> {
  let echoed = (): void => undefined;
  const echo = new Promise<void>((resolve) => {
    echoed = resolve;
  });
  const socket = await openWebSocket({
    scheme,
    port,
    host: HOST,
    path: LOADS.echo.path,
    onEcho: () => echoed(),
  });
  socket.send();
  const reason = await Promise.race([echo, socket.over]);
  socket.end();
  assert.equal(reason, undefined, `WebSocket: ${reason}`);
}

/** Fields that /echo saw with a value, less what is the client's own. */
function fieldsOf(body: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const line of body.split('\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (colon < 1 || value === '' || name === 'user-agent') continue;
    fields[name] = fields[name] === undefined ? value : `${fields[name]}, ${value}`;
  }
  return fields;
}
