/**
 * What may be shown of a body in quarantine. A body that was refused is exactly one whose shape cannot be trusted: the
 * private key may be folded, escaped, base64 of base64, under a mistyped key, or cut off. So nothing is looked for and
 * blotted out; instead only lines are shown that can be nothing else than a harmless key with a harmless value.
 */

export interface ShownBody {
  readonly bytes: number;
  /** Lines with a known harmless key and value, in order; what else there was is counted, not shown. */
  readonly lines: readonly string[];
  readonly hiddenLines: number;
}

const word = /^:?[a-z_]{1,32}$/;
const name = /^[a-z0-9]{1,32}$/i;
const dnsName = /^(?=.{3,253}$)[a-z0-9_-]{1,40}(\.[a-z0-9_-]{1,40})+$/i;
const address = /^[0-9a-f:.]{2,45}$/i;
const flag = /^(true|false|null|~)?$/;

/** Keys whose values hold no secret, and what such a value looks like: too narrow for a key in any coding to fit in. */
const HARMLESS: Readonly<Record<string, RegExp>> = {
  action: word,
  app_name: name,
  namespace: name,
  scalable: flag,
  ha: flag,
  gear_id: /^[0-9a-f]{24}([0-9a-f]{8})?$/i,
  public_port_name: /^[a-z]{1,24}-[0-9.]{1,8}$/i,
  public_address: address,
  public_port: /^\d{1,5}$/,
  alias: dnsName,
};
const MAX_LINE_CHARS = 300;
const MAX_LINES = 64;
/** A body of hostile size is not taken apart line by line. */
const MAX_READ_BYTES = 65_536;

/** `bodyBytes` is the length of the body as it came; `body` may be only its beginning. */
export function shownBody(body: Uint8Array, bodyBytes: number): ShownBody {
  const read = body.subarray(0, MAX_READ_BYTES);
  const all = Buffer.from(read.buffer, read.byteOffset, read.byteLength).toString('latin1').split(/\r?\n/);
  if (all.at(-1) === '') all.pop();
  const lines = all.filter(isHarmless).slice(0, MAX_LINES);
  return { bytes: bodyBytes, lines, hiddenLines: all.length - lines.length };
}

function isHarmless(line: string): boolean {
  if (line === '---') return true;
  if (line.length > MAX_LINE_CHARS) return false;
  // At the margin only: whatever is indented may be the continuation of a folded value.
  const match = /^:?([a-z_]+): ?(.*)$/.exec(line);
  if (match === null) return false;
  const [, key = '', value = ''] = match;
  const pattern = Object.hasOwn(HARMLESS, key) ? HARMLESS[key] : undefined;
  return pattern?.test(unquoted(value)) ?? false;
}

function unquoted(value: string): string {
  const quoted = /^(['"])(.*)\1$/.exec(value);
  return quoted === null ? value : (quoted[2] ?? '');
}

const SECRET_KEYS =
  /^(key|keyPem|privateKey|privateKeyPem|private_key|passPhrase|pass_phrase|passcode|password|body)$/i;
const PEM = /-----|PRIVATE KEY/;
const CODED = /[A-Za-z0-9+/_-]{64,}/g;
const HEX = /^[0-9a-f]+$/i;

/**
 * JSON of anything that admin shows. The views hold no key material by contract; this is the second lock: fields that are
 * named like secrets are left out, and texts that look like PEM or long base64 are not shown. (`key` of an application is
 * its name and stays.)
 */
export function adminJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, hideSecrets, indent);
}

function hideSecrets(field: string, value: unknown): unknown {
  if (typeof value === 'string') {
    if (SECRET_KEYS.test(field) && !(field === 'key' && value.length <= 128 && value.includes('/')))
      return undefined;
    if (PEM.test(value)) return '[hidden]';
    if (value.length < 64) return value;
    return value.replace(CODED, (run) => (HEX.test(run) ? run : '[hidden]'));
  }
  if (isBytes(value) || (SECRET_KEYS.test(field) && typeof value === 'object')) return undefined;
  return value;
}

/** A Buffer comes here as what its `toJSON` made of it. */
function isBytes(value: unknown): boolean {
  if (value instanceof Uint8Array) return true;
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer';
}
