import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEvent } from '../../src/spi/decode.ts';
import type { Decoded, RoutingEvent } from '../../src/spi/events.ts';
import { eventOf, LIMITS, rejectionOf } from './fixture-files.ts';

type Fields = Readonly<Record<string, unknown>>;

/** JSON is YAML, and the shortest way to write a field exactly. */
function read(fields: Fields): Decoded {
  return readEvent(Buffer.from(JSON.stringify(fields)), LIMITS);
}

const NAMES = { app_name: 'phpha', namespace: 'demo' };
const ENDPOINT = {
  ...NAMES,
  action: 'add_public_endpoint',
  gear_id: '542b72abafec2de3aa000009',
  public_port_name: 'haproxy-1.4',
  public_address: '172.16.4.200',
  public_port: '50847',
  protocols: ['http', 'ws'],
  types: ['load_balancer'],
  mappings: null,
};
const SSL = {
  ...NAMES,
  action: 'add_ssl',
  alias: 'foo.example.com',
  ssl: 'CERT',
  private_key: 'KEY',
  pass_phrase: null,
};

function endpointOf(fields: Fields) {
  const event = eventOf(read({ ...ENDPOINT, ...fields }));
  assert.ok(event.action === 'add_public_endpoint');
  return event.endpoint;
}

function codeOf(fields: Fields): string {
  return rejectionOf(read(fields)).code;
}

test('scenario 3: each action is known with and without the colon of a symbol', () => {
  const actions: readonly [string, Fields][] = [
    ['create_application', { ...NAMES }],
    ['delete_application', { ...NAMES }],
    ['add_public_endpoint', ENDPOINT],
    ['remove_public_endpoint', ENDPOINT],
    ['add_alias', SSL],
    ['remove_alias', SSL],
    ['add_ssl', SSL],
    ['remove_ssl', SSL],
  ];
  for (const [action, fields] of actions) {
    assert.equal(eventOf(read({ ...fields, action })).action, action);
    assert.equal(eventOf(read({ ...fields, action: `:${action}` })).action, action);
  }
  const tagged = '---\n:action: !ruby/symbol add_alias\n:app_name: a\n:namespace: b\n:alias: c.example\n';
  assert.equal(eventOf(readEvent(Buffer.from(tagged), LIMITS)).action, 'add_alias');
});

test('scenario 5: the deprecated add_gear, remove_gear and delete_gear mean the endpoint events, and are noted', () => {
  for (const [synonym, action] of [
    ['add_gear', 'add_public_endpoint'],
    ['remove_gear', 'remove_public_endpoint'],
    ['delete_gear', 'remove_public_endpoint'],
  ] as const) {
    const decoded = read({ ...ENDPOINT, action: `:${synonym}` });
    assert.deepEqual(eventOf(decoded), eventOf(read({ ...ENDPOINT, action })));
    assert.deepEqual(decoded.kind === 'event' && decoded.notes, [`${synonym} taken as ${action}`]);
  }
});

test('scenario 5: actions that are not ours are ignored, also those of the SSO plugin and names of object members', () => {
  for (const action of [
    'register_gear',
    'deregister_alias',
    'reboot',
    'constructor',
    '__proto__',
    'toString',
  ]) {
    assert.deepEqual(read({ ...NAMES, action }), { kind: 'ignored', action });
  }
});

test('a missing or malformed action is refused', () => {
  for (const action of [undefined, null, '', ':', 'a b', 'x'.repeat(65), ['add_alias'], { add: 'alias' }]) {
    assert.equal(codeOf({ ...NAMES, action }), 'SPI_ACTION_INVALID');
  }
});

test('scenario 35: names of applications and namespaces are lower-cased: legacy mixed case is the same application', () => {
  assert.deepEqual(
    eventOf(read({ ...NAMES, action: 'delete_application', app_name: 'PhpHA', namespace: 'Demo' })),
    {
      action: 'delete_application',
      app: { appName: 'phpha', namespace: 'demo' },
    },
  );
});

test('scenario 2: strings that look like numbers stay strings in every field', () => {
  const body =
    '---\n:action: :add_public_endpoint\n:app_name: 0o17\n:namespace: 1e3\n:gear_id: 512345678901234567890e12\n' +
    ":public_port_name: php-5.4\n:public_address: '10.0.0.1'\n:public_port: 35531\n:protocols:\n- http\n:types: []\n:mappings:\n";
  const event = eventOf(readEvent(Buffer.from(body), LIMITS));
  assert.ok(event.action === 'add_public_endpoint');
  assert.deepEqual(event.app, { appName: '0o17', namespace: '1e3' });
  assert.equal(event.endpoint.gearId, '512345678901234567890e12');
  for (const appName of ['08', '123e4567', '089']) {
    const alias = `---\n:action: :add_alias\n:app_name: ${appName}\n:namespace: demo\n:alias: 1.5e3\n`;
    assert.deepEqual(eventOf(readEvent(Buffer.from(alias), LIMITS)), {
      action: 'add_alias',
      app: { appName, namespace: 'demo' },
      alias: '1.5e3',
    });
  }
});

test('names that could not be part of one DNS label, or could be read as another application, are refused', () => {
  const bad = [
    ' ',
    'a b',
    'a.b',
    'a/b',
    '../etc',
    'a-b',
    'a_b',
    'a\n',
    'a\u0000',
    'ä',
    '\u212a',
    'x'.repeat(33),
  ];
  for (const field of ['app_name', 'namespace']) {
    for (const name of bad) {
      assert.equal(
        codeOf({ ...NAMES, action: 'delete_application', [field]: name }),
        'SPI_NAME_INVALID',
        name,
      );
    }
    for (const value of [['a'], { a: 1 }]) {
      assert.equal(codeOf({ ...NAMES, action: 'delete_application', [field]: value }), 'SPI_FIELD_INVALID');
    }
  }
  const long = { app_name: 'a'.repeat(32), namespace: 'b'.repeat(31) };
  assert.equal(codeOf({ action: 'delete_application', ...long }), 'SPI_NAME_INVALID');
});

test('a missing field is refused by name, and the rejection says which application and action it was', () => {
  const decoded = read({ ...ENDPOINT, action: ':add_gear', gear_id: null });
  assert.deepEqual(decoded, {
    kind: 'rejected',
    rejection: { code: 'SPI_FIELD_MISSING', reason: 'gear_id is missing' },
    action: 'add_public_endpoint',
    app: 'demo/phpha',
  });
  for (const field of ['app_name', 'namespace', 'gear_id', 'public_address', 'public_port']) {
    for (const action of ['add_public_endpoint', 'remove_public_endpoint']) {
      const rejection = rejectionOf(read({ ...ENDPOINT, action, [field]: undefined }));
      assert.deepEqual(rejection, { code: 'SPI_FIELD_MISSING', reason: `${field} is missing` });
    }
  }
  for (const field of ['alias', 'ssl', 'private_key']) {
    assert.equal(rejectionOf(read({ ...SSL, [field]: '' })).reason, `${field} is missing`);
  }
});

test('scalable and ha are true, false, or null for anything else', () => {
  const flags = (scalable: unknown, ha: unknown) => {
    const event = eventOf(read({ ...NAMES, action: 'create_application', scalable, ha }));
    assert.ok(event.action === 'create_application');
    return [event.scalable, event.ha];
  };
  assert.deepEqual(flags(true, false), [true, false]);
  assert.deepEqual(flags('true', 'False'), [true, false]);
  assert.deepEqual(flags(null, ''), [null, null]);
  assert.deepEqual(flags(undefined, 'perhaps'), [null, null]);
  const decoded = read({ ...NAMES, action: 'create_application', ha: 'perhaps' });
  assert.deepEqual(decoded.kind === 'event' && decoded.notes, ['ha is "perhaps": not known']);
});

test('a port is a strict decimal from 1 to 65535', () => {
  assert.equal(endpointOf({ public_port: 50847 }).port, 50847);
  assert.equal(endpointOf({ public_port: '1' }).port, 1);
  assert.equal(endpointOf({ public_port: '65535' }).port, 65535);
  for (const port of [
    '0',
    '65536',
    '99999',
    '080',
    '+80',
    '-1',
    '8e1',
    '0x50',
    '80 ',
    '80.0',
    '٨٠',
    '123456',
    1e21,
  ]) {
    assert.equal(codeOf({ ...ENDPOINT, public_port: port }), 'SPI_PORT_INVALID', String(port));
  }
  assert.equal(codeOf({ ...ENDPOINT, public_port: ['80'] }), 'SPI_FIELD_INVALID');
});

test('an address is an IP literal, brought to its one form', () => {
  const forms: readonly [string, string][] = [
    ['172.16.4.200', '172.16.4.200'],
    ['172.16.4.200\n', '172.16.4.200'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:0a00:0001', '10.0.0.1'],
    ['0:0:0:0:0:ffff:a00:1', '10.0.0.1'],
    ['::', '::'],
    ['::1', '::1'],
  ];
  for (const [given, expected] of forms)
    assert.equal(endpointOf({ public_address: given }).address, expected, given);
});

test('a host name or an odd spelling of an address is refused', () => {
  const bad = [
    'node1.example.com',
    'localhost',
    '010.0.0.1',
    '0x7f.1',
    '2130706433',
    '127.1',
    '1.2.3.4:80',
    '[::1]',
    '1.2.3',
    '::1%',
    '1.2.3.4%eth0',
    '1.2.3.4\n5',
    '::g',
  ];
  for (const address of bad) {
    assert.equal(codeOf({ ...ENDPOINT, public_address: address }), 'SPI_ADDRESS_INVALID', address);
  }
});

test('scenario 3: !binary fields are decoded before they are judged', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const body = `---\n:action: :remove_public_endpoint\n:app_name: !binary |-\n  ${base64('phpha')}\n:namespace: demo\n:gear_id: 542b72abafec2de3aa000009\n:public_address: !binary |-\n  ${base64('172.16.4.200')}\n:public_port: 50847\n`;
  const expected: RoutingEvent = {
    action: 'remove_public_endpoint',
    app: { appName: 'phpha', namespace: 'demo' },
    gearId: '542b72abafec2de3aa000009',
    address: '172.16.4.200',
    port: 50847,
  };
  assert.deepEqual(eventOf(readEvent(Buffer.from(body), LIMITS)), expected);
  const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n# Müller\n';
  const ssl = `---\n:action: :add_ssl\n:app_name: a\n:namespace: b\n:alias: c.example\n:ssl: !binary |\n  ${Buffer.from(pem, 'latin1').toString('base64')}\n:private_key: k\n`;
  const event = eventOf(readEvent(Buffer.from(ssl), LIMITS));
  assert.equal(event.action === 'add_ssl' && event.certificatePem, pem);
});

test('types, protocols and mappings are empty when null, and lower-case words when not', () => {
  const bare = endpointOf({ types: null, protocols: null, mappings: null });
  assert.deepEqual([bare.types, bare.protocols, bare.mappings], [[], [], []]);
  const none = endpointOf({ types: undefined, protocols: [], mappings: [] });
  assert.deepEqual([none.types, none.protocols, none.mappings], [[], [], []]);
  const some = endpointOf({ types: 'Load_Balancer', protocols: ['HTTP', 'ws', 'http', 'free-text/1.0'] });
  assert.deepEqual([some.types, some.protocols], [['load_balancer'], ['http', 'ws', 'free-text/1.0']]);
  assert.deepEqual(endpointOf({ mappings: [{ frontend: '/a', backend: null, options: {} }, {}] }).mappings, [
    { frontend: '/a', backend: '' },
    { frontend: '', backend: '' },
  ]);
});

test('lists that are not lists of words, or too long, are refused', () => {
  const bad = [
    { a: 1 },
    [['http']],
    [null],
    [''],
    ['a b'],
    ['x'.repeat(65)],
    Array(33).fill('x'),
    ['http\n'],
  ];
  for (const value of bad) {
    assert.equal(codeOf({ ...ENDPOINT, types: value }), 'SPI_FIELD_INVALID', JSON.stringify(value));
    assert.equal(codeOf({ ...ENDPOINT, protocols: value }), 'SPI_FIELD_INVALID', JSON.stringify(value));
  }
  for (const value of [
    'text',
    { a: 1 },
    ['text'],
    [{ frontend: ['a'] }],
    [{ backend: 'x'.repeat(1025) }],
    Array(65).fill({}),
  ]) {
    assert.equal(
      codeOf({ ...ENDPOINT, mappings: value }),
      'SPI_FIELD_INVALID',
      JSON.stringify(value).slice(0, 80),
    );
  }
});

test('a gear id is a bounded lower-case token', () => {
  assert.equal(endpointOf({ gear_id: '542B72ABAFEC2DE3AA000009' }).gearId, '542b72abafec2de3aa000009');
  assert.equal(endpointOf({ gear_id: 'demo-phpha-1' }).gearId, 'demo-phpha-1');
  for (const gearId of ['a b', 'a.b', 'a/b', '-a', 'x'.repeat(49), 'ä', '*']) {
    assert.equal(codeOf({ ...ENDPOINT, gear_id: gearId }), 'SPI_GEAR_ID_INVALID', gearId);
  }
});

test('the cartridge name may be missing, and is refused when it could not be one', () => {
  assert.equal(endpointOf({ public_port_name: undefined }).cartridge, '');
  assert.equal(endpointOf({ public_port_name: 'Acme-PHP-5.4' }).cartridge, 'Acme-PHP-5.4');
  for (const name of ['a\nb', 'x'.repeat(256), ['php'], '\u001b[31m']) {
    assert.equal(codeOf({ ...ENDPOINT, public_port_name: name }), 'SPI_FIELD_INVALID');
  }
});

test('fields that nobody knows are tolerated and noted, within bounds', () => {
  const decoded = read({
    ...NAMES,
    action: 'delete_application',
    scalable: true,
    colour: 'red',
    '\u001b[2J': '',
  });
  assert.ok(decoded.kind === 'event');
  assert.deepEqual(decoded.notes, ['unknown field "colour"', 'unknown field "\\u{1b}[2J"']);
  const extras = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`x${index}`, '']));
  const many = read({ ...NAMES, action: 'delete_application', ...extras });
  assert.ok(many.kind === 'event');
  assert.equal(many.notes.length, 9);
  assert.equal(many.notes[8], '12 more unknown fields');
});

test('reasons quote short values escaped, and long ones or anything like a PEM not at all', () => {
  const reason = (alias: unknown) => rejectionOf(read({ ...SSL, alias })).reason;
  assert.equal(reason('a b"\u202e\u001b'), 'alias "a b\\"\\u{202e}\\u{1b}" is not a host name');
  assert.equal(reason('-----BEGIN X-----\nMIIEv'), 'alias text of 23 characters is not a host name');
  assert.equal(reason(`MII${'E'.repeat(61)} `), 'alias text of 65 characters is not a host name');
  assert.equal(reason(['MIIEv']), 'alias is a list of 1, not text');
  assert.equal(reason({ MIIEv: 'x' }), 'alias is a map, not text');
  const swapped = rejectionOf(read({ ...SSL, private_key: { MIIEv: 'x' } })).reason;
  assert.equal(swapped, 'private_key is a map, not text');
});
