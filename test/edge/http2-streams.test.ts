import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2, { type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { FewMap } from '../../src/edge/few-map.ts';
import { FewSet } from '../../src/edge/few-set.ts';
import { keepStreamsCheaply } from '../../src/edge/http2-streams.ts';
import { symbolNamed } from '../../src/edge/symbol-named.ts';

describe('the streams of a session, kept our way', () => {
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0).reverse()) close();
  });

  /** A session of a server and its client; each stream goes to `onStream`. */
  async function started(onStream: (stream: ServerHttp2Stream) => void) {
    const server = http2.createServer().on('stream', onStream).listen(0, '127.0.0.1');
    closers.push(() => server.close());
    let kept: boolean | null = null;
    let session: ServerHttp2Session | null = null;
    server.on('session', (opened) => {
      session = opened;
      kept = keepStreamsCheaply(opened);
    });
    await once(server, 'listening');
    const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    closers.push(() => client.destroy());
    await once(client, 'remoteSettings');
    if (session === null) throw new Error('no session');
    return { client, session: session as ServerHttp2Session, kept };
  }

  it('are replaced on this Node, are all answered, and the session ends when the last of them has', async () => {
    const { client, session, kept } = await started((stream) => {
      stream.respond({ ':status': 200 });
      stream.end(stream.id === undefined ? '' : `${stream.id}`);
    });
    assert.equal(kept, true);
    const symbol = symbolNamed(session, 'state') ?? Symbol('none');
    const { streams, pendingStreams } =
      (session as unknown as Record<symbol, Record<string, unknown>>)[symbol] ?? {};
    assert.ok(streams instanceof FewMap);
    assert.ok(pendingStreams instanceof FewSet);
    const answers = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const request = client.request().setEncoding('utf8');
        let text = '';
        for await (const piece of request) text += piece;
        return text === `${request.id}`;
      }),
    );
    assert.deepEqual(answers, Array(40).fill(true));
    const ended = once(session, 'close');
    session.close();
    await ended;
  });

  it('all end with a session that is destroyed', async () => {
    const streams: ServerHttp2Stream[] = [];
    let arrived = (): void => {};
    const three = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const { client, session } = await started((stream) => {
      stream.on('error', () => {});
      if (streams.push(stream) === 3) arrived();
    });
    client.on('error', () => {});
    for (let index = 0; index < 3; index++) client.request().on('error', () => {});
    await three;
    const ended = streams.map((stream) => once(stream, 'close'));
    session.destroy();
    await Promise.all(ended);
  });

  it('are left where they are in a session that has some already, or that is no session', async () => {
    let tried: boolean | null = null;
    const { client } = await started((stream) => {
      const { session } = stream;
      if (session === undefined) return;
      tried = keepStreamsCheaply(session);
      stream.respond({ ':status': 204 }, { endStream: true });
    });
    const request = client.request();
    request.resume();
    await once(request, 'close');
    assert.equal(tried, false);
    assert.equal(keepStreamsCheaply({} as never), false);
  });
});
