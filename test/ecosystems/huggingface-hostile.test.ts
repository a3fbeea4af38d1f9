import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { readUserAgent } from '../../src/ecosystems/huggingface/clients.ts';
import { readInfo } from '../../src/ecosystems/huggingface/info.ts';
import { readUrl } from '../../src/ecosystems/huggingface/urls.ts';
import { isFault } from '../../src/errors.ts';
import { startHubMount } from '../support/hub-mount.ts';

const files = { 'config.json': '{}', 'x.txt': 'x', 'model.safetensors': Buffer.alloc(50_000, 1) };
const mount = await startHubMount({ repos: [{ name: 'org/m', files }], allowPrivate: false, pageSize: 1 });
t.teardown(() => mount.close());
t.beforeEach(() => mount.reset());
const { hub, gateway } = mount;

const line = (target: string, more = '') =>
  `GET /hf${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${more}\r\n`;
const status = (text: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);

const traversals = [
  ...['/org/m/resolve/main/../x.txt', '/org/m/resolve/main/%2e%2e/x.txt', '/org/m/resolve/main/..%2fx.txt'],
  ...['/org/m/resolve/main/%2E%2E%2F%2E%2E%2Fapi', '/org/m/resolve/main/a/./x.txt', '/org/m/resolve/main//x.txt'],
  ...['/org/m/resolve/main/x.txt/', '/org/m/resolve/main/%5c..%5cx.txt', '/org/m/resolve/main/x%00.txt'],
  ...[
    '/org/m/resolve/main/x%0d%0aX-Evil:%201',
    '/org/m/resolve/main/x%7f',
    '/org/m/resolve/main/%ff',
    '/org/m/resolve/main/%zz',
  ],
  ...[
    '/org/m/resolve/..%2f..%2fapi/x',
    '/org/m/resolve/%2e%2e/x',
    '/org/m/resolve/a%2f..%2fb/x',
    '/org/m/resolve/%2fetc/x',
  ],
  ...[
    '/../etc/resolve/main/x',
    '/%2e%2e/m/resolve/main/x',
    '/org%2f..%2f..%2fx/m/resolve/main/x',
    '/.git/m/resolve/main/x',
  ],
  ...['/org/m%3fx=1/resolve/main/x', '/org/m%23/resolve/main/x', '/org/m@evil.example/resolve/main/x'],
  ...[
    '/api/models/..%2f..%2fwhoami-v2/x',
    '/api/models/org/m/tree/main/../../x',
    '/api/models/org/%2e%2e/revision/main',
  ],
  ...[
    '/api/models/org/m/revision/%2e%2e%2fwhoami',
    '/api/models/org/m/commits/%2e%2e%2f%2e%2e',
    '/api/models/org/m/commits/a%0d%0ab',
  ],
  `/org/m/resolve/main/${'a'.repeat(5000)}`,
];
t.test('a URL that could mean another place is refused and nothing is asked upstream', async (t) => {
  for (const target of traversals) {
    const { text } = await mount.raw(line(target));
    t.ok([400, 404].includes(status(text)), `${target} → ${status(text)}`);
    t.notMatch(text, /X-Evil/i);
  }
  t.same(
    hub.log.map(({ path }) => path),
    [],
  );
  t.same(gateway.seen, []);
});

t.test('what is decoded once is encoded once: an escape stays a name', async (t) => {
  const { text } = await mount.raw(line('/org/m/resolve/main/%252e%252e%252fx.txt'));
  t.equal(status(text), 404);
  t.ok(hub.log.every(({ path }) => path.startsWith('/api/models/org/m/revision/main')));
  t.match(readUrl('/org/m/resolve/a%252fb/%2523.txt'), { revision: 'a%2fb', path: '%23.txt' });
  t.match(readUrl('/org/m/resolve/main/\xc3\xa9.txt'), { path: 'é.txt' }, 'raw bytes count as encoded ones');
});

t.test('a query reaches the Hub as a query, whatever is in it', async (t) => {
  await mount.raw(line('/api/models/org/m/refs?a=%0d%0aX-Evil:1&b=../..&c=?d#e'));
  await mount.raw(line('/api/models/org/m?expand=%20x&y=\xe9'));
  t.ok(hub.log.length > 0 && hub.log.every(({ path }) => path.startsWith('/api/models/org/m')));
  t.ok(hub.log.every(({ headers }) => headers['x-evil'] === undefined));
});

t.test('two messages in one are one refusal, and the connection ends', async (t) => {
  const body = 'GET /hf/org/m/resolve/main/x.txt HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const target = '/hf/api/models/org/m/paths-info/main';
  const shapes: Record<string, string> = {
    'both lengths': `POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${body}`,
    'two different lengths': `POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    'a strange coding': `POST ${target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n${body}`,
    'a space before the colon': `POST ${target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n${body}`,
    'a folded header': `POST ${target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n${body}`,
    'a negative length': `POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n${body}`,
    'a bare line feed': `POST ${target} HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n${body}`,
    'no version': `GET ${target}\r\n\r\n${body}`,
  };
  for (const [name, shape] of Object.entries(shapes)) {
    const { text } = await mount.raw(shape);
    t.notMatch(text, /HTTP\/1\.1 2/, name);
    t.ok((text.match(/^HTTP\/1\.1 /gm) ?? []).length <= 1, `${name}: one answer at most`);
  }
  t.same(
    gateway.seen.filter(({ call }) => call === 'get'),
    [],
  );
});

t.test('a Host from elsewhere does not get into links', async (t) => {
  const target = '/api/models/org/m/tree/main';
  const evil = `GET /hf${target} HTTP/1.1\r\nHost: localhost"><x\r\nConnection: close\r\n\r\n`;
  t.equal(status((await mount.raw(evil)).text), 400);
  const forwarded = await mount.get(target, { headers: { 'x-forwarded-host': 'evil.example' } });
  t.notMatch(forwarded.headers.get('link'), /evil/);
  t.match(forwarded.headers.get('link'), /^<http:\/\/127\.0\.0\.1:\d+\/hf\/api\/models\/org\/m\/tree\//);
});

t.test('a Link or Location of the Hub cannot make the gateway ask elsewhere', async (t) => {
  let hits = 0;
  const victim = createServer((_, response) => {
    hits += 1;
    response.end('[]');
  });
  victim.listen(0, '127.0.0.1');
  await once(victim, 'listening');
  t.teardown(() => victim.close());
  const elsewhere = `http://127.0.0.1:${(victim.address() as AddressInfo).port}`;
  const llama = { headers: { 'user-agent': 'llama-cpp/b1' } };
  hub.fail({ kind: 'headers', match: /\/tree\//, headers: { link: `<${elsewhere}/latest/meta-data>; rel="next"` } });
  const tree = await mount.get('/api/models/org/m/tree/main', llama);
  t.equal(tree.status, 200);
  t.notOk((await mount.get('/api/models/org/m/tree/main')).headers.has('link'), 'a link to what is no API is dropped');
  mount.reset();
  hub.fail({ kind: 'headers', match: /resolve/, headers: { location: `${elsewhere}/secret` } });
  t.equal((await mount.get('/org/m/resolve/main/model.safetensors')).status, 502);
  const python = { headers: { 'user-agent': 'unknown/None; hf_hub/2.4.0; python/3.11.7' } };
  const told = await mount.get('/org/m/resolve/main/model.safetensors', python);
  t.match(
    [told.status, told.headers.get('x-error-code')],
    [403, 'GatedRepo'],
    'a client that would lose a 502 is told',
  );
  t.match(
    told.headers.get('x-error-message'),
    /^Weighbridge refuses model\.safetensors: 127\.0\.0\.1 is not .*upstreams\.allowPrivate/,
  );
  hub.fail({ kind: 'status', match: /refs/, status: 302, headers: { location: `${elsewhere}/secret` } });
  const refs = await mount.get('/api/models/org/m/refs');
  t.equal(refs.status, 302);
  t.notOk(refs.headers.has('location'), 'nor the client');
  t.equal(hits, 0);
  const endless = { link: '</api/models/org/m/tree/main?cursor=0>; rel="next"' };
  mount.reset();
  hub.fail({ kind: 'headers', match: /\/tree\//, headers: endless });
  t.equal((await mount.get('/api/models/org/m/tree/main', llama)).status, 502, 'pages without end');
});

t.test('headers of the Hub are passed on clean, or not at all', async (t) => {
  const headers = {
    'set-cookie': 'a=b',
    'x-xet-hash': 'abc',
    'x-error-code': 'GatedRepo',
    'x-error-message': 'caf\xe9',
  };
  hub.fail({ kind: 'status', status: 403, headers, body: '<script>', match: /resolve/ });
  const answer = await mount.get('/org/m/resolve/main/x.txt');
  t.equal(answer.status, 403, 'also when the repo was thought to be open a moment ago');
  t.match([answer.headers.get('x-error-code'), answer.headers.get('x-error-message')], ['GatedRepo', /^caf\?+$/]);
  for (const name of ['set-cookie', 'x-xet-hash', 'server']) t.notOk(answer.headers.has(name), name);
});

t.test('an answer about a repo that is not one is a fault, and odd files in it are not listed', (t) => {
  const asked = { kind: 'models', name: 'org/m' } as const;
  const sha = 'a'.repeat(40);
  const bad = [
    '',
    '[]',
    'null',
    '{}',
    '{"sha":"x","siblings":[]}',
    `{"sha":"${sha}"}`,
    `{"sha":"${sha}","siblings":{}}`,
    '<html>',
  ];
  for (const body of bad) {
    t.throws(() => readInfo(body, asked, 'h'), { code: 'UPSTREAM_REFUSED' }, body);
  }
  const blob = { size: 1, blobId: sha };
  const odd = [
    ...['../x', '/etc/passwd', 'a//b', 'a\u0000b', 'a\\b', '', '.', 'a/../b'].map((rfilename) => ({
      ...blob,
      rfilename,
    })),
    ...[-1, 1.5, 2 ** 60, '1', null, undefined].map((size) => ({ rfilename: 's', blobId: sha, size })),
    ...['', 'zz', sha.toUpperCase(), 5].map((blobId) => ({ rfilename: 'b', size: 1, blobId })),
    ...['', sha, 5].map((sha256) => ({ ...blob, rfilename: 'l', lfs: { size: 1, sha256 } })),
    ...[null, 'x', [], { ...blob, rfilename: 'good' }],
  ];
  const info = readInfo(
    JSON.stringify({ sha, id: '../../evil', siblings: odd, gated: 'auto', private: false }),
    asked,
    'h',
  );
  t.same([...info.files.keys()], ['good']);
  t.same(info.repo, asked, 'a name that is none is not taken over');
  t.match(info, { restricted: true, upstream: { gated: true, private: false, licence: '', ageDays: -1 } });
  t.ok(
    readInfo(JSON.stringify({ sha, siblings: [] }), asked, 'h').restricted,
    'what does not say it is public is private',
  );
  t.end();
});

t.test('a User-Agent is read with care', (t) => {
  const python = 'unknown/None; hf_hub/2.4.0; python/3.11.7; torch/2.15.0; transformers/5.23.0';
  t.match(readUserAgent(python), {
    name: 'transformers',
    version: '5.23.0',
    checksLength: true,
  });
  t.match(readUserAgent('datasets/5.2.0; hf_hub/1.33.0'), { name: 'datasets', checksLength: true });
  t.match(readUserAgent('llama-cpp/b1234'), { name: 'llama-cpp', checksLength: true, readsOnePage: true });
  t.match(readUserAgent('hf-hub/0.4.1; rust/unknown'), { name: 'hf-hub', checksLength: true });
  for (const agent of [
    'curl/8.0',
    'Wget/1.21',
    'node',
    'transformers.js/4.3.1; is_ci/false;',
    '',
    undefined,
    'datasets/5',
  ]) {
    t.equal(readUserAgent(agent).checksLength, false, String(agent));
  }
  const command = 'huggingface-cli/2.4.0; hf_hub/2.4.0; python/3.11.7';
  t.match(readUserAgent(command), { name: 'huggingface_hub', dropsCodedText: true, checksLength: true });
  for (const agent of [python, 'huggingface-cli/0.36.2; hf_hub/0.36.2; python/3.11.2', 'huggingface-cli/2.4.0'])
    t.equal(readUserAgent(agent).dropsCodedText, false, agent);
  t.equal(readUserAgent(`hf_hub/${'9'.repeat(5000)}`).version.length <= 40, true);
  t.end();
});

t.test('readUrl never gives anything but a call or REQUEST_INVALID', (t) => {
  const parts = [
    'org',
    'm',
    'resolve',
    'raw',
    'api',
    'models',
    'refs',
    'tree',
    '%2e',
    '..',
    '%2F',
    '',
    '%',
    '?',
    '%00',
    'é',
    '\xff',
    '#',
  ];
  let seed = 42;
  const next = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  for (let round = 0; round < 20_000; round++) {
    const url = Array.from({ length: next(8) }, () => `/${parts[next(parts.length)]}`).join('');
    try {
      const call = readUrl(url);
      if ('path' in call && call.path.split('/').some((part) => part === '..')) t.fail(url);
      if ('repo' in call && call.repo !== undefined && !/^[\w][\w.-]*(\/[\w][\w.-]*)?$/.test(call.repo.name))
        t.fail(url);
    } catch (error) {
      if (!isFault(error, 'REQUEST_INVALID')) throw error;
    }
  }
  t.pass('20,000 URLs');
  t.end();
});
