import { createHash, randomBytes } from 'node:crypto';
import t from 'tap';
import { WeighbridgeError } from '../../src/errors.ts';
import { gitSha1 } from '../support/hub.ts';
import { startHubMount } from '../support/hub-mount.ts';

const weights = randomBytes(300_000);
const config = '{"model_type":"bert"}';
const sha256 = createHash('sha256').update(weights).digest('hex');
const odd = {
  'a b.txt': '1',
  'a#b.txt': '2',
  'a%20b.txt': '3',
  'a?b.txt': '4',
  'é/ü.txt': '5',
  "it's (1)&=+;.txt": '6',
};
const files = { 'config.json': config, 'model.safetensors': weights, 'empty.txt': '', 'deep/er/x.txt': 'deep', ...odd };

const mount = await startHubMount({
  repos: [
    {
      name: 'org/m',
      files,
      branches: { 'feature/x': { 'config.json': '{"branch":1}' }, 'refs/pr/1': { 'pr.txt': 'pr' } },
    },
    { name: 'bert', files: { 'config.json': config }, aliases: ['old-bert'] },
    { name: 'org/d', kind: 'datasets', files: { 'data.csv': 'a,b\n1,2\n' } },
    { name: 'org/s', kind: 'spaces', files: { 'app.py': 'print(1)' } },
    { name: 'org/private', files: { 'x.bin': 'private' }, private: true, allow: ['hf_in'] },
    { name: 'org/gated', files: { 'x.bin': 'gated', 'README.md': 'read' }, gated: 'auto', allow: ['hf_in'] },
    { name: 'org/pickle', files: { 'config.json': config, 'pytorch_model.bin': 'pickle' } },
  ],
  users: { hf_out: { name: 'outsider' } },
});
t.teardown(() => mount.close());
t.beforeEach(() => mount.reset());
const { get, head, hub, gateway } = mount;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const FILE = '/org/m/resolve/main/model.safetensors';

t.test('a file is answered in place with everything clients need, on HEAD and GET alike', async (t) => {
  for (const method of ['HEAD', 'GET']) {
    const answer = await get(FILE, { method, headers: bearer('hf_in') });
    t.equal(answer.status, 200);
    const expected = {
      'x-repo-commit': hub.commit('org/m'),
      etag: `"${sha256}"`,
      'x-linked-etag': `"${sha256}"`,
      'x-linked-size': '300000',
      'content-length': '300000',
      'accept-ranges': 'bytes',
      'content-disposition': `attachment; filename="model.safetensors"; filename*=UTF-8''model.safetensors`,
      'x-weighbridge-decision': 'allow; rule=fake/allow',
    };
    for (const [name, value] of Object.entries(expected)) t.equal(answer.headers.get(name), value, `${method} ${name}`);
    for (const name of ['location', 'x-xet-hash', 'link', 'content-encoding']) t.notOk(answer.headers.has(name), name);
    t.match(answer.headers.get('x-request-id'), /^[0-9a-f-]{36}$/);
    t.ok(method === 'HEAD' ? answer.bytes.length === 0 : answer.bytes.equals(weights));
  }
  const small = await head('/org/m/resolve/main/config.json');
  t.equal(small.headers.get('etag'), `"${gitSha1(Buffer.from(config))}"`);
  t.equal((await get('/org/m/resolve/main/empty.txt')).bytes.length, 0);
  const cdn = hub.log.filter(({ where }) => where === 'cdn');
  t.ok(
    cdn.length > 0 && cdn.every(({ headers }) => headers.authorization === undefined),
    'no token to the second host',
  );
  t.equal(hub.xetRequests(), 0);
});

const ranges: [string, number, number | undefined, number?][] = [
  ['bytes=0-99', 0, 100],
  ['bytes=100-100', 100, 101],
  ['bytes=0-0', 0, 1],
  ['bytes=-7', 299_993, 300_000],
  ['bytes=-999999999', 0, 300_000],
  ['bytes=299999-', 299_999, 300_000],
  ['bytes=8-99999999999999999999', 8, 300_000],
  ['BYTES = 1 - 2', 1, 3],
  ['bytes=300000-', 0, undefined],
  ['bytes=-0', 0, undefined],
  ['bytes=9999999999999999999999-', 0, undefined],
];
t.test('every form of a range', async (t) => {
  for (const [range, start, end] of ranges) {
    const answer = await get(FILE, { headers: { range } });
    if (end === undefined) {
      t.equal(answer.status, 416, range);
      t.equal(answer.headers.get('content-range'), 'bytes */300000');
      continue;
    }
    t.equal(answer.status, 206, range);
    t.equal(answer.headers.get('content-range'), `bytes ${start}-${end - 1}/300000`);
    t.equal(answer.headers.get('content-length'), String(end - start));
    t.ok(answer.bytes.equals(weights.subarray(start, end)), range);
  }
  for (const range of ['bytes=5-2', 'bytes=-', 'bytes=0-1,3-4', 'items=0-1', 'bytes=a-b', 'bytes=0x1-2', '']) {
    const answer = await get(FILE, { headers: { range } });
    t.equal(answer.status, 200, `${range} is ignored`);
    t.equal(answer.bytes.length, 300_000);
  }
  t.equal((await head(FILE, { range: 'bytes=0-9' })).headers.get('content-length'), '300000', 'HEAD knows no ranges');
  t.equal((await get('/org/m/resolve/main/empty.txt', { headers: { range: 'bytes=0-' } })).status, 416);
});

t.test('conditions: If-Range and If-None-Match', async (t) => {
  const ask = (headers: Record<string, string>) => get(FILE, { headers: { range: 'bytes=1-2', ...headers } });
  t.equal((await ask({ 'if-range': `"${sha256}"` })).status, 206);
  const other = await ask({ 'if-range': '"another"' });
  t.equal(other.status, 200);
  t.ok(other.bytes.equals(weights));
  const known = await get(FILE, { headers: { 'if-none-match': `W/"x", "${sha256}"` } });
  t.match([known.status, known.bytes.length], [304, 0]);
});

t.test('the JavaScript question for Xet is answered with bytes', async (t) => {
  const accept = 'application/vnd.xet-fileinfo+json, */*';
  const answer = await get(FILE, { headers: { range: 'bytes=0-0', accept } });
  t.equal(answer.status, 206);
  t.equal(answer.headers.get('content-range'), 'bytes 0-0/300000');
  t.ok(
    hub.log.every(({ headers }) => !String(headers.accept).includes('xet')),
    'nor is it passed on',
  );
  t.equal(hub.xetRequests(), 0);
});

t.test('whole: a range that must not be honoured gets everything from byte 0', async (t) => {
  gateway.rules.whole.add('model.safetensors');
  const answer = await get(FILE, { headers: { range: 'bytes=1000-' } });
  t.equal(answer.status, 200);
  t.ok(answer.bytes.equals(weights));
});

t.test('encoded revisions, odd names, bare names, datasets and spaces', async (t) => {
  t.equal((await get('/org/m/resolve/feature%2Fx/config.json')).text, '{"branch":1}');
  t.equal((await get('/org/m/resolve/refs%2Fpr%2F1/pr.txt')).text, 'pr');
  t.equal((await get('/org/m/resolve/refs/pr/1/pr.txt')).text, 'pr');
  t.equal((await get(`/org/m/resolve/${hub.commit('org/m')}/config.json`)).text, config);
  t.equal((await get('/org/m/resolve/HEAD/config.json')).text, config);
  for (const [name, text] of Object.entries(odd)) {
    const encoded = name.split('/').map(encodeURIComponent).join('/');
    t.equal((await get(`/org/m/resolve/main/${encoded}`)).text, text, name);
    t.equal(
      (await get(`/org/m/resolve/main/${encodeURIComponent(name)}`)).text,
      text,
      `${name} with its slashes encoded`,
    );
  }
  const disposition = (await head('/org/m/resolve/main/%C3%A9/%C3%BC.txt')).headers.get('content-disposition');
  t.equal(disposition, `attachment; filename="_.txt"; filename*=UTF-8''%C3%BC.txt`);
  t.equal((await get('/bert/resolve/main/config.json')).text, config);
  t.equal((await get('/old-bert/resolve/main/config.json')).text, config, 'a renamed repo');
  t.equal((await get('/ORG/M/resolve/main/deep/er/x.txt')).text, 'deep', 'a name in the wrong case');
  t.equal(gateway.seen.at(-1)?.repo, 'models/org/m', 'has its canonical name inside');
  t.equal((await get('/datasets/org/d/resolve/main/data.csv')).text, 'a,b\n1,2\n');
  t.equal((await get('/spaces/org/s/resolve/main/app.py')).text, 'print(1)');
  t.equal(gateway.seen.at(-1)?.repo, 'spaces/org/s');
});

t.test('raw: a small file as it is, a large one as its pointer', async (t) => {
  t.equal((await get('/org/m/raw/main/config.json')).text, config);
  const pointer = await get('/org/m/raw/main/model.safetensors');
  t.equal(pointer.text, hub.file('org/m', 'model.safetensors').pointer);
  t.equal(pointer.headers.get('etag'), `"${gitSha1(pointer.bytes)}"`);
  t.equal((await head('/org/m/raw/main/model.safetensors')).status, 200);
  gateway.rules.refuse['model.safetensors'] = 'no';
  t.equal((await get('/org/m/raw/main/model.safetensors')).status, 403);
});

t.test("the Hub's errors pass unchanged", async (t) => {
  const cases: [string, Record<string, string>, number, string | null, RegExp][] = [
    ['/org/m/resolve/main/none', {}, 404, 'EntryNotFound', /^Entry not found/],
    ['/org/m/resolve/none/config.json', {}, 404, 'RevisionNotFound', /^Invalid rev id: none$/],
    ['/org/none/resolve/main/x', {}, 401, 'RepoNotFound', /Invalid username/],
    ['/org/none/resolve/main/x', bearer('hf_out'), 404, 'RepoNotFound', /^Repository not found$/],
    ['/org/private/resolve/main/x.bin', bearer('hf_out'), 404, 'RepoNotFound', /^Repository not found$/],
    ['/org/gated/resolve/main/x.bin', {}, 401, 'GatedRepo', /Access to model org\/gated is restricted/],
    ['/org/gated/resolve/main/x.bin', bearer('hf_out'), 403, 'GatedRepo', /not in the authorized list/],
    ['/org/m/resolve/main/x.txt', bearer('bad'), 401, null, /^Invalid credentials in Authorization header$/],
    ['/org/gated/resolve/main/x.bin', bearer('bad'), 401, null, /^Invalid credentials in Authorization header$/],
  ];
  for (const [path, headers, status, code, message] of cases) {
    for (const method of ['HEAD', 'GET']) {
      const answer = await get(path, { method, headers });
      t.equal(answer.status, status, `${method} ${path}`);
      t.equal(answer.headers.get('x-error-code'), code);
      t.match(answer.headers.get('x-error-message'), message);
      if (method === 'GET') t.match((answer.json as { error: string }).error, message);
    }
  }
  const missing = await head('/org/m/resolve/main/none');
  t.equal(missing.headers.get('x-repo-commit'), hub.commit('org/m'), 'clients remember absence by commit');
});

t.test('a private or gated file leaves only for those who may read it, also right after one of them', async (t) => {
  for (const repo of ['private', 'gated']) {
    const path = `/org/${repo}/resolve/main/x.bin`;
    t.equal((await get(path, { headers: bearer('hf_in') })).text, repo);
    t.not((await get(path)).status, 200, 'anonymous');
    t.not((await get(path, { headers: bearer('hf_out') })).status, 200, 'another token');
    t.equal((await get(path, { headers: bearer('hf_in') })).text, repo, 'again');
  }
  t.equal((await get('/org/gated/resolve/main/README.md')).text, 'read');
  const identities = new Set(gateway.seen.map(({ who }) => who.identity));
  t.ok(identities.has('127.0.0.1') && identities.size > 1);
  t.notMatch([...identities].join(), /hf_in|hf_out/, 'a token is known by its digest only');
});

t.test('a refusal by policy is GatedRepo with the text in header and JSON', async (t) => {
  gateway.rules.refuse['model.safetensors'] = 'denied: os.system\r\nX-Evil: 1 \u0007 é — ask secops';
  for (const method of ['HEAD', 'GET']) {
    const answer = await get(FILE, { method });
    t.equal(answer.status, 403);
    t.equal(answer.headers.get('x-error-code'), 'GatedRepo');
    const message = answer.headers.get('x-error-message') ?? '';
    t.match(message, /^denied: os\.system X-Evil: 1 \? \? \? ask secops \(request [0-9a-f-]{36}\)$/);
    t.ok(message.length <= 300 && message.includes(answer.headers.get('x-request-id') ?? 'none'));
    t.notOk(answer.headers.has('x-evil'));
    t.equal(answer.headers.get('x-weighbridge-decision'), 'deny; rule=fake/deny');
    t.equal(answer.headers.get('x-repo-commit'), hub.commit('org/m'));
    if (method === 'GET') t.same(answer.json, { error: message });
  }
  gateway.rules.refuse['model.safetensors'] = 'long '.repeat(200);
  t.equal((await head(FILE)).headers.get('x-error-message')?.length, 300);
});

t.test('a verdict that is not there yet is 503 with Retry-After on HEAD', async (t) => {
  gateway.rules.wait.add('model.safetensors');
  const answer = await head(FILE);
  t.match([answer.status, answer.headers.get('retry-after')], [503, '2']);
});

t.test('a converted file stands at its own name, with a warning that clients print', async (t) => {
  const bytes = Buffer.from('converted');
  gateway.rules.convert['pytorch_model.bin'] = { path: 'model.safetensors', bytes };
  gateway.rules.notice = 'judged by\r\nrules';
  const answer = await get('/org/pickle/resolve/main/model.safetensors');
  t.match([answer.status, answer.text], [200, 'converted']);
  t.match(answer.headers.get('etag'), /^"[0-9a-f]{40}"$/);
  t.match(
    answer.headers.get('x-hf-warning'),
    /^weighbridge; judged by rules\. model\.safetensors was converted from the pickle pytorch_model\.bin$/,
  );
});

t.test(
  'a body that fails ends with FIN and less than was announced; before the first byte it is an answer',
  async (t) => {
    const error = new WeighbridgeError('UPSTREAM_MISMATCH', 'the digest is not the listed one');
    gateway.rules.fail['model.safetensors'] = { after: 100_000, error };
    const request = `GET /hf${FILE} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    const { text, ended } = await mount.raw(request);
    t.equal(ended, 'fin');
    t.match(text, /^HTTP\/1\.1 200 OK\r\n/);
    t.equal(text.length - text.indexOf('\r\n\r\n') - 4, 100_000, 'everything before the fault has arrived');
    gateway.rules.fail['model.safetensors'] = { after: 0, error };
    const early = await get(FILE);
    t.match([early.status, early.headers.get('x-error-message')], [502, /digest is not the listed one/]);
    gateway.rules.fail['model.safetensors'] = { after: 0, error: new WeighbridgeError('REFUSED', 'refused: eval') };
    const refused = await get(FILE);
    t.match([refused.status, refused.headers.get('x-error-code')], [403, 'GatedRepo']);
    t.match(refused.text, /refused: eval \(request/);
  },
);

t.test('a client that leaves ends its transfer and fires its signal', async (t) => {
  hub.fail({ kind: 'drip', chunk: 10_000, ms: 50, where: 'cdn' });
  const gone = new AbortController();
  const response = await fetch(mount.url + FILE, { signal: gone.signal });
  gone.abort();
  await t.rejects(response.arrayBuffer());
  await new Promise((resolve) => setTimeout(resolve, 400));
  const sent = hub.log.find(({ where }) => where === 'cdn');
  t.ok((sent?.bytes ?? 0) > 0 && (sent?.bytes ?? 0) < 300_000, `${sent?.bytes} bytes left the second host`);
  t.equal(gateway.seen.at(-1)?.who.signal.aborted, true);
});

t.test('upstream faults in the body are not seen by the client', async (t) => {
  hub.fail({ kind: 'cut', at: 50_000, where: 'cdn', times: 2, rst: true });
  hub.fail({ kind: 'status', status: 503, where: 'hub', times: 1 });
  t.ok((await get(FILE)).bytes.equals(weights));
});

t.test('one question to the Hub for many requests of one commit', async (t) => {
  await Promise.all(Array.from({ length: 50 }, () => head(`/org/s/resolve/${'0'.repeat(40)}/none`)));
  const commit = hub.commit('datasets/org/d');
  mount.reset();
  await Promise.all(Array.from({ length: 50 }, () => head(`/datasets/org/d/resolve/${commit}/data.csv`)));
  t.equal(hub.log.length, 1);
});
