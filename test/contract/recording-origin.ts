/** A gear that keeps every byte it is sent, apart by connection, and answers each whole request with the same 200. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { connectRaw } from '../support/client.ts';
import { type ReadRequest, readStrictly } from './strict-reading.ts';

export interface Recording {
  readonly requests: readonly ReadRequest[];
  /** Bytes came that are no request, strictly read: two framings, a malformed head. */
  readonly malformed: readonly string[];
}

export interface RecordingOrigin {
  readonly port: number;
  /** What came since the last call. Everything that was on its way to it when it is called is in. */
  take(): Promise<Recording>;
  stop(): Promise<void>;
}

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const BARRIER = '/barrier';

export async function startRecordingOrigin(): Promise<RecordingOrigin> {
  const sockets = new Set<Socket>();
  let requests: ReadRequest[] = [];
  let malformed: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      const reading = readStrictly(received);
      for (const request of reading.requests) {
        if (request.target !== BARRIER) requests.push(request);
        socket.write(ANSWER.replace('ok', request.method === 'HEAD' ? '' : 'ok'));
      }
      received = received.slice(reading.end);
      if (reading.rest !== 'malformed') return;
      malformed.push(received);
      socket.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async take() {
      // What was written to other connections of the loopback interface before this was, is read before it is.
      const client = await connectRaw({ port });
      await client.send(`GET ${BARRIER} HTTP/1.1\r\nHost: barrier\r\n\r\n`);
      await client.readResponse();
      client.destroy();
      const taken = { requests, malformed };
      requests = [];
      malformed = [];
      return taken;
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
