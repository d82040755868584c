import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createNginxHosts } from '../../src/sources/nginx-hosts.ts';

const pool = (name: string, members: readonly string[]) =>
  `upstream ${name} {\n${members.map((member) => `  server ${member};\n`).join('')}}\n`;
const server = (host: string, to: string, certFile = '') =>
  `server {\n  listen 443 ssl;\n${certFile === '' ? '' : `  ssl_certificate ${certFile};\n`}  server_name ${host};\n  location / { proxy_pass http://${to}; }\n}\n`;

test('a host is served by the members of its pool, each once, without those that are down', () => {
  const hosts = createNginxHosts();
  hosts.setFile('alias.conf', server('WWW.example.com.', 'p', '/etc/nginx/www.crt'));
  assert.deepEqual(hosts.host('www.example.com'), { members: [], certFile: '/etc/nginx/www.crt' });
  const touched = hosts.setFile(
    'p.conf',
    pool('p', ['10.0.0.1:80', '10.0.0.1:80', '10.0.0.2:81 down', 'gear.example.com:82']),
  );
  assert.deepEqual([...touched], ['www.example.com']);
  assert.deepEqual(hosts.host('www.example.com')?.members, [
    { address: '10.0.0.1', port: 80 },
    { address: 'gear.example.com', port: 82 },
  ]);
  assert.deepEqual([...hosts.hostsOfCertificate('www.crt')], ['www.example.com']);
});

test('names that are no single host are told, and servers that pass nothing on are no hosts', () => {
  const hosts = createNginxHosts();
  hosts.setFile('a.conf', server('*.example.com ~^x _', 'p'));
  hosts.setFile('server.conf', 'server {\n  server_name other.example.com;\n  return 404;\n}\n');
  assert.deepEqual(hosts.patterns(), ['*.example.com', '~^x']);
  assert.equal(hosts.host('other.example.com'), null);
});

const names = ['a.test', 'b.test', 'c.test'];
const pools = ['p', 'q'];
const conf = fc.oneof(
  fc.constant(null),
  fc.constant('# nothing\n'),
  fc
    .tuple(fc.constantFrom(...pools), fc.subarray(['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80']))
    .map(([name, members]) => pool(name, members)),
  fc
    .array(
      fc.tuple(fc.constantFrom(...names), fc.constantFrom(...pools), fc.constantFrom('', 'x.crt', 'y.crt')),
      {
        maxLength: 3,
      },
    )
    .map((servers) => servers.map(([host, to, cert]) => server(host, to, cert)).join('')),
);

test('file by file, it knows what a fresh look at all files knows, and names every host that changed', () => {
  const steps = fc.array(fc.tuple(fc.constantFrom('1.conf', '2.conf', '3.conf', '4.conf'), conf), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(steps, (changes) => {
      const hosts = createNginxHosts();
      const files = new Map<string, string>();
      for (const [file, text] of changes) {
        const before = new Map(names.map((name) => [name, JSON.stringify(hosts.host(name))]));
        const touched = hosts.setFile(file, text);
        if (text === null) files.delete(file);
        else files.set(file, text);
        const fresh = createNginxHosts();
        for (const [name, content] of files) fresh.setFile(name, content);
        for (const name of names) {
          assert.deepEqual(hosts.host(name), fresh.host(name));
          if (JSON.stringify(hosts.host(name)) !== before.get(name)) assert.ok(touched.has(name), name);
        }
        for (const cert of ['x.crt', 'y.crt'])
          assert.deepEqual(new Set(hosts.hostsOfCertificate(cert)), new Set(fresh.hostsOfCertificate(cert)));
        assert.equal(hosts.size(), fresh.size());
      }
    }),
  );
});
