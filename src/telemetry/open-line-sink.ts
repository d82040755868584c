/** Where lines of a log go: a file, stdout or stderr. */
import { fstatSync } from 'node:fs';
import { openFileSink } from './file-sink.ts';
import type { LineSink, LineSinkOptions } from './line-sink.ts';
import { openStreamSink } from './stream-sink.ts';

/** Opens `target`: a path, `stdout` or `stderr`. */
export function openLineSink(target: string, options: LineSinkOptions): LineSink {
  if (target !== 'stdout' && target !== 'stderr') return openFileSink(target, options);
  const fd = target === 'stdout' ? 1 : 2;
  // Where they lead to a file, node's own streams write to it synchronously: a slow disk would hold up every request.
  if (isFile(fd)) return openFileSink(fd, options);
  return openStreamSink(target === 'stdout' ? process.stdout : process.stderr, options);
}

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false;
  }
}
