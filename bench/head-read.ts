/** What reading a head costs: the walk over its bytes (what a whole head takes) and the reading of its text (what the others take). */
import { readRequestHead, scanRequestHead } from '../src/http/request-head.ts';
import { readResponseHead, scanResponseHead } from '../src/http/response-head.ts';

const LIMITS = { maxTargetBytes: 8_192, maxHeaders: 100 };
const ROUNDS = 8;
const PER_ROUND = 50_000;

const RESPONSE = [
  'HTTP/1.1 200 OK',
  'Server: nginx/1.22.1',
  'Date: Sun, 22 Nov 2026 00:00:00 GMT',
  'Content-Type: text/plain',
  'Content-Length: 1024',
  'Last-Modified: Sun, 22 Nov 2026 00:00:00 GMT',
  'Connection: keep-alive',
  'ETag: "65a1f00d-400"',
  'Accept-Ranges: bytes',
];
const REQUEST = ['GET / HTTP/1.1', 'Host: shop-demo.apps.example.test', 'User-Agent: headgear-bench'];
const BROWSER = [
  'GET /catalogue/hats?colour=red&page=2 HTTP/1.1',
  'Host: shop-demo.apps.example.test',
  'Connection: keep-alive',
  'sec-ch-ua: "Chromium";v="120", "Not:A-Brand";v="8"',
  'sec-ch-ua-mobile: ?0',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8',
  'Sec-Fetch-Site: same-origin',
  'Referer: https://shop-demo.apps.example.test/',
  'Accept-Encoding: gzip, deflate, br',
  'Accept-Language: en-GB,en;q=0.9',
  'Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; _ga=GA1.2.1234567890.1234567890',
];

/** Prints microseconds a head, the best of eight rounds. */
export async function run(): Promise<void> {
  const write = (line: string): boolean => process.stdout.write(`${line}\n`);
  const kinds = [
    {
      name: 'response',
      lines: RESPONSE,
      scan: (bytes: Buffer) => scanResponseHead(bytes, 256),
      read: (text: string) => readResponseHead(text, 256),
    },
    {
      name: 'request of a tool',
      lines: REQUEST,
      scan: (bytes: Buffer) => scanRequestHead(bytes, LIMITS),
      read: (text: string) => readRequestHead(text, LIMITS),
    },
    {
      name: 'request of a browser',
      lines: BROWSER,
      scan: (bytes: Buffer) => scanRequestHead(bytes, LIMITS),
      read: (text: string) => readRequestHead(text, LIMITS),
    },
  ];
  for (const { name, lines, scan, read } of kinds) {
    const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
    const scanned = best(() => scan(bytes));
    const searched = best(() =>
      read(bytes.toString('latin1', 0, bytes.indexOf('\r\n\r\n', 0, 'latin1') + 2)),
    );
    write(
      `${name}: ${scanned.toFixed(2)} us in one walk, ${searched.toFixed(2)} us with the end searched first`,
    );
  }
}

/** Microseconds a call. */
function best(call: () => object | null): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (let index = 0; index < PER_ROUND; index++) {
      if (call() === null) throw new Error('the head was not read');
    }
    least = Math.min(least, ((performance.now() - start) * 1_000) / PER_ROUND);
  }
  return least;
}
