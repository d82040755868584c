/** One request's facts, filled in order of time; the access log and the metrics read nothing else. */
export interface RequestContext {
  /** Epoch microseconds at which the head's first byte was seen. */
  readonly startedAtUs: number;
  /** The peer, or what a trusted proxy says of it. */
  clientAddress: string;
  readonly clientPort: number;
  readonly scheme: 'http' | 'https';
  /** `TLS`: a connection that was not decrypted; it has neither method nor target nor status. */
  protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2' | 'TLS';
  /** As sent; empty strings until the head was parsed. `target` holds no control or blank characters. */
  method: string;
  target: string;
  /** Host in normal form (lower-case, no port, no trailing dot), or ''. */
  host: string;
  /** `namespace/app`, or '' when no route was found. */
  app: string;
  /** Table generation that the request was routed by. */
  generation: number;
  /** `address:port` of the last endpoint tried, or ''. */
  endpoint: string;
  gearId: string;
  attempts: number;
  /** Status sent to the client; 0 when none was. */
  status: number;
  /** Body bytes. */
  bytesIn: number;
  bytesOut: number;
  /** Microseconds from start to the first byte of the gear's answer; 0 when there was none. */
  upstreamFirstByteUs: number;
  /** Stable code of what went wrong, or ''. */
  failure: string;
  userAgent: string;
  referer: string;
}
