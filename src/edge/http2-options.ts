/** What node:http2 is told: settings for the client, and the bounds that it keeps by itself. */
import http2 from 'node:http2';
import type { Config } from '../config/schema.ts';

/**
 * Whether this Node can take a connection that is secured already (20.12 and later). Looked up on the default export: a named import
 * that is missing would keep the program from starting.
 */
export const http2IsAvailable = typeof http2.performServerHandshake === 'function';

/** Body bytes in flight over all streams of a connection: node:http2 hands this window back at once, each stream's as its gear takes bytes. */
export const CONNECTION_WINDOW_BYTES = 1_048_576;

const MAX_INVALID_FRAMES = 500;
const MAX_REJECTED_STREAMS = 100;

/** Options of a session. */
export function http2Options({ http, http2: own }: Pick<Config, 'http' | 'http2'>): http2.ServerOptions {
  return {
    // Twice what is allowed: what is between gets an answer that says 431, and only what is above is reset by the library.
    maxHeaderListPairs: 2 * (http.maxHeaders + 5),
    // Frames that fault nobody but are good for nothing: empty DATA, unknown streams.
    maxSessionInvalidFrames: MAX_INVALID_FRAMES,
    maxSessionRejectedStreams: MAX_REJECTED_STREAMS,
    settings: {
      maxConcurrentStreams: own.maxConcurrentStreams,
      initialWindowSize: own.streamWindowBytes,
      maxHeaderListSize: 2 * http.maxHeadBytes,
      enableConnectProtocol: own.webSockets,
    },
  };
}
