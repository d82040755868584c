/**
 * YAML text of a routing event to a plain record. Owner of js-yaml.
 *
 * Ruby's emitter and YAML's default schemas disagree on what is a number (`1e3`, `08`, a gear id of digits and one `e`),
 * so every scalar stays a string (failsafe schema) and each field is coerced by `decode.ts` (domain.md 1.2). The one
 * exception is a plain `null` or `~` or nothing, which is null: Psych quotes strings that look like these.
 * Tags choose nothing but how bytes become text: no tag instantiates anything.
 */
import { isUtf8 } from 'node:buffer';
import {
  constructFromEvents,
  defineMappingTag,
  defineScalarTag,
  defineSequenceTag,
  EVENT_ID,
  FAILSAFE_SCHEMA,
  NOT_RESOLVED,
  parseEvents,
  YAMLException,
} from 'js-yaml';
import type { PlainRecord, PlainValue } from './document-types.ts';
import type { Rejection } from './events.ts';
import { MAX_PLAIN_BYTES, PLAIN_DEPTH, readPlainDocument } from './plain-document.ts';

export interface DocumentLimits {
  readonly maxBodyBytes: number;
  /** Nesting of nodes as the parser counts it; an `add_public_endpoint` with mappings needs 4. */
  readonly maxDepth: number;
  /** Alias nodes (`*x`) in the document. */
  readonly maxAliases: number;
}

export type ParsedDocument =
  | { readonly ok: true; readonly record: PlainRecord }
  | { readonly ok: false; readonly rejection: Rejection };

/**
 * Structure characters in one body. The largest real events (a certificate chain with OpenSSL's text dump before each
 * block) hold some hundreds. The parser is linear, but slowest on structure: 1 MiB of `[a,a,a,...` takes it 0.5 s; what
 * this bound lets through is mostly long text, at 0.1 to 0.3 s a MiB.
 */
const MAX_STRUCTURE = 5_000;
const MAX_KEYS_PER_MAP = 64;

/** Anything that Psych wraps a string in (`!ruby/string:Name`, old `!str:Name`) when it carries instance variables. */
const STRING_OBJECT_TAG = /^!(ruby\/string|str)(:|$)/;

interface MapCarrier {
  readonly tagName: string;
  readonly pairs: Map<string, PlainValue>;
}

/** `:name`, as Ruby writes a symbol, and `name` are one key; both in one map are a duplicate. */
function keyName(key: unknown): string | null {
  if (typeof key !== 'string') return null;
  return key.startsWith(':') ? key.slice(1) : key;
}

/** `finalize` is given although it changes little: it makes js-yaml refuse an alias inside its own anchor. */
function mapTag(tagName: string, matchByTagPrefix: boolean) {
  return defineMappingTag<MapCarrier, PlainValue>(tagName, {
    matchByTagPrefix,
    create: (actualTag) => ({ tagName: actualTag, pairs: new Map() }),
    addPair: (carrier, key, value) => {
      const name = keyName(key);
      if (name === null) return 'a key is not text';
      if (carrier.pairs.size >= MAX_KEYS_PER_MAP) return `more than ${MAX_KEYS_PER_MAP} keys in one map`;
      carrier.pairs.set(name, value as PlainValue);
      return '';
    },
    has: (carrier, key) => carrier.pairs.has(keyName(key) ?? ''),
    keys: () => [],
    get: () => null,
    finalize: ({ tagName: actualTag, pairs }) => {
      const text = STRING_OBJECT_TAG.test(actualTag) ? pairs.get('str') : undefined;
      return typeof text === 'string' ? text : pairs;
    },
    identify: () => false,
  });
}

function listTag(tagName: string, matchByTagPrefix: boolean) {
  return defineSequenceTag<PlainValue[], PlainValue>(tagName, {
    matchByTagPrefix,
    create: () => [],
    addItem: (carrier, item) => {
      carrier.push(item as PlainValue);
    },
    finalize: (carrier) => carrier,
    identify: () => false,
  });
}

/** Base64 to text: UTF-8 where the bytes are valid as that, else Latin-1, which keeps every byte of a PEM comment apart. */
function decodeBinary(source: string): string | typeof NOT_RESOLVED {
  const base64 = source.replace(/\s+/g, '');
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) return NOT_RESOLVED;
  const bytes = Buffer.from(base64, 'base64');
  return isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('latin1');
}

function binaryTag(tagName: string) {
  return defineScalarTag<string>(tagName, { resolve: decodeBinary, identify: () => false });
}

const nullTag = defineScalarTag<null>('tag:yaml.org,2002:null', {
  implicit: true,
  implicitFirstChars: ['', '~', 'n', 'N'],
  resolve: (source) => (/^(|~|null|Null|NULL)$/.test(source) ? null : NOT_RESOLVED),
  identify: () => false,
});

/** The empty prefix matches every tag there is: unknown tags are plain map, list or text. Exact tags win over it. */
const SCHEMA = FAILSAFE_SCHEMA.withTags(
  nullTag,
  binaryTag('!binary'),
  binaryTag('tag:yaml.org,2002:binary'),
  mapTag('tag:yaml.org,2002:map', false),
  listTag('tag:yaml.org,2002:seq', false),
  defineScalarTag<string>('', { matchByTagPrefix: true, resolve: (source) => source, identify: () => false }),
  mapTag('', true),
  listTag('', true),
);

function refuse(code: string, reason: string): ParsedDocument {
  return { ok: false, rejection: { code, reason } };
}

/** Blank, comma, colon and so on by byte, so that the count below is one look-up a byte. */
const STRUCTURE = new Uint8Array(256);
for (const char of ',[]{}&*!?') STRUCTURE[char.charCodeAt(0)] = 1;
for (const char of ':-#%') STRUCTURE[char.charCodeAt(0)] = 2;

function endsToken(byte: number | undefined): boolean {
  return byte === undefined || byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

/** True when the body holds more structure than any event: `:`, `-`, `#` and `%` count only before a blank or an end. */
function isTooComplex(body: Buffer): boolean {
  let count = 0;
  for (let index = 0; index < body.length; index++) {
    const kind = STRUCTURE[body[index] ?? 0];
    if (kind === 1 || (kind === 2 && endsToken(body[index + 1]))) {
      count++;
      if (count > MAX_STRUCTURE) return true;
    }
  }
  return false;
}

/** js-yaml's words without what they quote from the body, which may be a pass phrase; its snippet is never used. */
function yamlRejection(error: unknown): ParsedDocument {
  if (!(error instanceof YAMLException)) return refuse('SPI_YAML', 'the body cannot be read as YAML');
  const words = error.reason.split(/"|!<|: /, 1)[0]?.trim() ?? '';
  const at = error.mark === undefined ? '' : `line ${error.mark.line + 1}: `;
  if (/maxDepth/.test(words)) return refuse('SPI_TOO_DEEP', `${at}the body is nested too deeply`);
  if (/maxAliases/.test(words))
    return refuse('SPI_TOO_MANY_ALIASES', `${at}the body holds too many YAML aliases`);
  if (/^recursive alias/.test(words))
    return refuse('SPI_RECURSIVE_ALIAS', `${at}a YAML alias contains itself`);
  if (/^duplicated mapping key/.test(words))
    return refuse('SPI_DUPLICATE_KEY', `${at}a key occurs twice in one map`);
  if (/!<(!|tag:yaml.org,2002:)binary>/.test(error.reason)) {
    return refuse('SPI_BINARY', `${at}a !binary value is not base64`);
  }
  return refuse('SPI_YAML', `${at}${words}`);
}

/**
 * Reads one event body. Never throws and never runs longer than its size allows, whatever the bytes are.
 * @returns the top-level map, or a rejection (`SPI_...`) whose reason quotes nothing of the body.
 */
export function parseDocument(body: Buffer, limits: DocumentLimits): ParsedDocument {
  if (body.length <= Math.min(MAX_PLAIN_BYTES, limits.maxBodyBytes) && limits.maxDepth >= PLAIN_DEPTH) {
    // What is not ASCII is not of the plain form, whatever coding it is in.
    const record = readPlainDocument(body);
    if (record !== null) return { ok: true, record };
  }
  return parseYaml(body, limits);
}

/** The same by js-yaml alone. */
export function parseYaml(body: Buffer, limits: DocumentLimits): ParsedDocument {
  if (body.length > limits.maxBodyBytes) {
    return refuse('SPI_TOO_LARGE', `the body has more than ${limits.maxBodyBytes} bytes`);
  }
  const encoding = encodingFault(body);
  if (encoding !== null) return refuse('SPI_ENCODING', encoding);
  if (isTooComplex(body)) return refuse('SPI_TOO_COMPLEX', `more than ${MAX_STRUCTURE} structure characters`);
  try {
    const source = body.toString('utf8');
    const events = parseEvents(source, { maxDepth: limits.maxDepth });
    const documents = events.filter((event) => event.type === EVENT_ID.DOCUMENT).length;
    if (documents === 0) return refuse('SPI_EMPTY', 'the body is empty');
    if (documents > 1) return refuse('SPI_SEVERAL_DOCUMENTS', `the body holds ${documents} YAML documents`);
    const [root] = constructFromEvents(events, { source, schema: SCHEMA, maxAliases: limits.maxAliases });
    if (root === null) return refuse('SPI_EMPTY', 'the body is an empty document');
    if (!(root instanceof Map)) return refuse('SPI_NOT_A_MAP', 'the body is not a map of fields');
    return { ok: true, record: root };
  } catch (error) {
    return yamlRejection(error);
  }
}

/** Why the bytes are not plain UTF-8, or null. A byte order mark is refused in UTF-8 too: no Ruby emitter writes one. */
function encodingFault(body: Buffer): string | null {
  const [first, second, third] = body;
  if ((first === 0xfe && second === 0xff) || (first === 0xff && second === 0xfe)) {
    return 'the body is UTF-16 or UTF-32; it must be UTF-8';
  }
  if (first === 0xef && second === 0xbb && third === 0xbf) return 'the body begins with a byte order mark';
  if (body.includes(0)) return 'the body holds null bytes: not text, or not UTF-8';
  return isUtf8(body) ? null : 'the body is not valid UTF-8';
}
