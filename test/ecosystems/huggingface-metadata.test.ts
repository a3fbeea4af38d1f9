import { createHash } from 'node:crypto';
import t from 'tap';
import { gitSha1 } from '../support/hub.ts';
import { startHubMount } from '../support/hub-mount.ts';

const config = '{"model_type":"bert"}';
const converted = Buffer.from('converted bytes');
const digest = createHash('sha256').update(converted).digest('hex');
const many = Object.fromEntries(
  Array.from({ length: 12 }, (_, index) => [`data/part-${index + 10}.txt`, String(index)]),
);

const mount = await startHubMount({
  repos: [
    {
      name: 'org/m',
      files: { 'config.json': config, 'pytorch_model.bin': 'pickle', 'unet/weights.bin': 'pickle too', ...many },
      branches: { 'feature/x': { 'x.txt': 'x' }, 'refs/pr/1': { 'y.txt': 'y' } },
      tags: ['pytorch'],
      license: 'mit',
    },
    { name: 'bert', files: { 'config.json': config } },
    { name: 'org/d', kind: 'datasets', files: { 'data.csv': 'a' } },
    { name: 'org/private', files: { 'x.bin': 'p' }, private: true, allow: ['hf_in'] },
  ],
  users: { hf_in: { name: 'alice' } },
  pageSize: 4,
  linkBase: 'https://huggingface.co',
});
t.teardown(() => mount.close());
t.beforeEach(() => mount.reset());
const { get, head, hub, gateway } = mount;

type Entry = {
  path: string;
  type: string;
  oid: string;
  size: number;
  lfs?: { oid: string; size: number; pointerSize: number };
};
type Info = {
  id: string;
  sha: string;
  siblings: { rfilename: string; size?: number; blobId?: string; lfs?: unknown }[];
};
const post = (path: string, body: string, type: string) =>
  get(path, { method: 'POST', body, headers: { 'content-type': type } });
const convert = (sha256?: string) => {
  const file = { path: 'model.safetensors', bytes: converted, ...(sha256 === undefined ? {} : { sha256 }) };
  gateway.rules.convert['pytorch_model.bin'] = file;
};
/** Follows links as `huggingface_hub` does: the URL as it stands. */
const walk = async (path: string): Promise<{ entries: Entry[]; pages: number }> => {
  const entries: Entry[] = [];
  let next: string | undefined = path;
  let pages = 0;
  while (next !== undefined) {
    const answer = await get(next);
    entries.push(...(answer.json as Entry[]));
    pages += 1;
    const link = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1];
    t.ok(link === undefined || link.startsWith(`${mount.url}/api/`), `absolute, and leads back here: ${link}`);
    next = link?.slice(mount.url.length);
  }
  return { entries, pages };
};

t.test('info: names alone, sizes and digests with blobs, any revision, every kind', async (t) => {
  const plain = (await get('/api/models/org/m')).json as Info;
  t.match(plain, {
    id: 'org/m',
    sha: hub.commit('org/m'),
    private: false,
    gated: false,
    tags: ['pytorch', 'license:mit'],
  });
  t.same(
    plain.siblings.find(({ rfilename }) => rfilename === 'config.json'),
    { rfilename: 'config.json' },
  );
  const blobs = (await get('/api/models/org/m/revision/main?blobs=true')).json as Info;
  t.match(
    blobs.siblings.find(({ rfilename }) => rfilename === 'pytorch_model.bin'),
    {
      size: 6,
      blobId: hub.file('org/m', 'pytorch_model.bin').oid,
      lfs: { sha256: hub.file('org/m', 'pytorch_model.bin').sha256, pointerSize: 126 },
    },
  );
  t.equal(((await get('/api/models/org/m/revision/feature%2Fx')).json as Info).sha, hub.commit('org/m', 'feature/x'));
  t.equal(((await get('/api/models/org/m/revision/HEAD')).json as Info).sha, hub.commit('org/m'));
  t.equal(((await get('/api/models/bert')).json as Info).id, 'bert');
  t.equal(((await get('/api/datasets/org/d/revision/main')).json as Info).id, 'org/d');
  const secured = await get('/api/models/org/m?securityStatus=true');
  t.match(
    secured.json,
    { securityRepoStatus: { scansDone: true }, siblings: plain.siblings },
    'the query is passed on',
  );
  t.equal((await head('/api/models/org/m')).status, 200);
  const unknown = await get('/api/models/org/m/revision/none');
  t.match([unknown.status, unknown.headers.get('x-error-code')], [404, 'RevisionNotFound']);
  t.equal((await get('/api/models/org/private')).status, 401);
  t.equal((await get('/api/models/org/private', { headers: { authorization: 'Bearer hf_in' } })).status, 200);
  t.equal((await get('/api/models/org/private')).status, 401, 'not even right after a permitted one');
});

t.test('a converted file takes the place of its source in every listing, under an id of its own', async (t) => {
  for (const known of [undefined, digest]) {
    convert(known);
    const etag = digest.slice(0, 40);
    const lfs = known === undefined ? undefined : { oid: digest, size: converted.length, pointerSize: 127 };
    const { siblings } = (await get('/api/models/org/m?blobs=true')).json as Info;
    const names = siblings.map(({ rfilename }) => rfilename);
    t.notOk(names.includes('pytorch_model.bin'));
    const sibling = siblings.find(({ rfilename }) => rfilename === 'model.safetensors');
    t.match(sibling, { size: converted.length, blobId: etag });
    t.equal(sibling?.lfs !== undefined, known !== undefined, 'lfs only with a true sha256');
    const { entries } = await walk('/api/models/org/m/tree/main?recursive=true&expand=True');
    const entry = entries.find(({ path }) => path === 'model.safetensors');
    t.match(entry, { type: 'file', oid: etag, size: converted.length });
    t.same(entry?.lfs, lfs);
    t.notOk(entries.some(({ path }) => path === 'pytorch_model.bin'));
    t.ok(entries.some(({ path }) => path === 'unet/weights.bin'));
    const asked = 'paths=model.safetensors&paths=pytorch_model.bin&paths=config.json&paths=data&expand=False';
    const found = (await post('/api/models/org/m/paths-info/main', asked, 'application/x-www-form-urlencoded'))
      .json as Entry[];
    t.same(found.map(({ path }) => path).sort(), ['config.json', 'data', 'model.safetensors']);
    t.same(found.find(({ path }) => path === 'model.safetensors')?.lfs, lfs);
  }
});

t.test('tree: recursive, a folder, pages with absolute links, no trace of Xet', async (t) => {
  const { entries, pages } = await walk('/api/models/org/m/tree/main?recursive=true&expand=true');
  t.equal(pages, 5);
  t.equal(entries.filter(({ type }) => type === 'file').length, 15);
  t.ok(entries.every((entry) => !('xetHash' in entry)) && entries.some(({ lfs }) => lfs !== undefined));
  t.same(
    (await walk('/api/models/org/m/tree/main/unet')).entries.map(({ path }) => path),
    ['unet/weights.bin'],
  );
  const top = (await walk('/api/models/org/m/tree/main')).entries;
  t.same(
    top.filter(({ type }) => type === 'directory').map(({ path }) => path),
    ['data', 'unet'],
  );
  t.same(
    (await walk('/api/models/org/m/tree/feature%2Fx')).entries.map(({ path }) => path),
    ['x.txt'],
  );
  t.equal((await get('/api/models/org/m/tree/main/none')).headers.get('x-error-code'), 'EntryNotFound');
  t.equal((await get('/api/models/org/m/tree/none')).headers.get('x-error-code'), 'RevisionNotFound');
  t.equal(hub.xetRequests(), 0);
});

t.test('paths-info: as a form and as JSON', async (t) => {
  const url = '/api/models/org/m/paths-info/main';
  const json = JSON.stringify({ paths: ['config.json', 'none'], expand: true });
  for (const [body, type] of [
    [json, 'application/json'],
    ['paths=config.json&paths=none&expand=True', 'application/x-www-form-urlencoded'],
  ] as const) {
    const answer = await post(url, body, type);
    t.match(answer.json, [
      { type: 'file', path: 'config.json', oid: gitSha1(Buffer.from(config)), lastCommit: { id: /./ } },
    ]);
    t.equal((answer.json as Entry[]).length, 1);
  }
  for (const body of ['{"paths":"config.json"}', '{', '[]', '{"paths":[1]}']) {
    t.equal((await post(url, body, 'application/json')).status, 400, body);
  }
  t.equal((await get(url)).status, 405);
});

t.test('what is handed on: refs, commits, discussions, listings, whoami, auth-check', async (t) => {
  t.match((await get('/api/models/org/m/refs')).json, {
    branches: [{ name: 'main', targetCommit: hub.commit('org/m') }],
  });
  t.match((await get('/api/models/org/m/refs?include_prs=1')).json, { pullRequests: [{ ref: 'refs/pr/1' }] });
  const commits = await get('/api/models/org/m/commits/feature%2Fx');
  t.match(commits.json, [{ id: hub.commit('org/m', 'feature/x') }]);
  t.equal(commits.headers.get('x-total-count'), '1');
  t.match((await get('/api/models/org/m/discussions?p=0')).json, { discussions: [], count: 0 });
  t.match((await get('/api/datasets')).json, [{ id: 'org/d' }]);
  const me = await get('/api/whoami-v2', { headers: { authorization: 'Bearer hf_in' } });
  t.match(me.json, { name: 'alice', auth: { accessToken: { role: 'read' } } });
  t.equal((await get('/api/whoami-v2')).status, 401);
  t.equal((await get('/api/models/org/m/auth-check')).status, 200);
});

t.test('what is not there: Xet tokens, telemetry, git, uploads', async (t) => {
  const gone = ['xet-read-token/main', 'xet-write-token/main', 'safetensors-metadata/model.safetensors', 'parquet'];
  for (const path of gone) t.equal((await get(`/api/models/org/m/${path}`)).status, 404, path);
  for (const path of ['/api/agent-harnesses', '/org/m', '/kernels/org/m/resolve/main/x', '/x/y/z/w']) {
    t.equal((await get(path)).status, 404, path);
  }
  t.equal((await head('/api/telemetry/huggingface_hub/x')).status, 204);
  const git = await get('/org/m.git/info/refs?service=git-upload-pack');
  t.match([git.status, git.headers.get('content-type'), git.text], [403, /text\/plain/, /does not serve git/]);
  const lfs = await post('/org/m.git/info/lfs/objects/batch', '{}', 'application/vnd.git-lfs+json');
  t.match([lfs.status, lfs.text], [403, /"message":".*does not serve git/]);
  for (const method of ['PUT', 'POST', 'DELETE']) {
    t.equal((await get('/api/models/org/m', { method })).status, 405, method);
    t.equal((await get('/org/m/resolve/main/config.json', { method })).status, 405, method);
  }
  t.ok(
    hub.log.every(({ method, path }) => method === 'GET' && path.startsWith('/api/models/org/m')),
    'nothing of it went on',
  );
});

t.test('a repo without acceptable weights is refused where the text survives', async (t) => {
  gateway.rules.refusal = 'no acceptable weights: pytorch_model.bin calls os.system';
  const paths = ['/api/models/org/m', '/api/models/org/m/revision/main', '/org/m/resolve/main/config.json'];
  for (const path of paths) {
    for (const method of ['GET', 'HEAD']) {
      const answer = await get(path, { method });
      t.match([answer.status, answer.headers.get('x-error-code')], [403, 'GatedRepo'], `${method} ${path}`);
      t.match(answer.headers.get('x-error-message'), /^no acceptable weights/);
    }
  }
  const llama = { headers: { 'user-agent': 'llama-cpp/b1234' } };
  for (const path of ['/api/models/org/m/refs', '/api/models/org/m/tree/main?recursive=true']) {
    t.match((await get(path, llama)).json, { error: /no acceptable weights/ });
  }
  const dataset = await get('/api/datasets/org/d');
  t.match([dataset.status, dataset.headers.get('x-error-code')], [404, 'RepoNotFound'], 'what load_dataset prints');
});

t.test('llama.cpp: refs, then the whole tree on one page', async (t) => {
  const headers = { 'user-agent': 'llama-cpp/b1234' };
  t.equal((await get('/api/models/org/m/refs', { headers })).status, 200);
  const tree = await get(`/api/models/org/m/tree/${hub.commit('org/m')}?recursive=true`, { headers });
  t.equal((tree.json as Entry[]).filter(({ type }) => type === 'file').length, 15);
  t.notOk(tree.headers.has('link'));
});

t.test('the Hub away: what is known is served, everything else is 504 with text', async (t) => {
  const commit = hub.commit('org/m');
  await get('/api/models/org/m');
  await get('/api/models/org/m/refs');
  await get('/api/models/org/m/revision/feature%2Fx');
  await get('/api/datasets/org/d');
  hub.fail({ kind: 'status', status: 503 });
  await new Promise((resolve) => setTimeout(resolve, 5100));
  convert();
  t.match((await get('/api/models/org/m')).json, { id: 'org/m', sha: commit });
  t.match((await get('/api/models/org/m/refs')).json, { branches: [{ name: 'main' }] });
  const tree = (await get('/api/models/org/m/tree/main')).json as Entry[];
  t.same(tree.map(({ path }) => path).sort(), ['config.json', 'data', 'model.safetensors', 'unet']);
  const found = (
    await post('/api/models/org/m/paths-info/main', '{"paths":["unet","config.json"]}', 'application/json')
  ).json;
  t.match(found, [{ type: 'directory' }, { type: 'file', size: config.length }]);
  t.equal((await head('/org/m/resolve/main/config.json')).headers.get('x-repo-commit'), commit);
  for (const path of ['/bert/resolve/main/config.json', '/api/models/bert/refs', '/api/whoami-v2']) {
    const answer = await get(path);
    t.equal(answer.status, 504, path);
    t.match(answer.headers.get('x-error-message'), /answered 503 \(request/);
    t.notOk(answer.headers.has('x-error-code'), 'never what looks like "not found" or "not allowed"');
  }
  hub.heal();
  hub.fail({ kind: 'status', status: 429, headers: { 'retry-after': '900' } });
  t.match((await get('/api/datasets/org/d')).json, { id: 'org/d' }, 'nor does a limit on our requests matter');
  const limited = await get('/api/models/org/unknown');
  t.match([limited.status, limited.headers.get('retry-after')], [429, '900']);
  hub.heal();
  hub.fail({ kind: 'stall', ms: 60_000 });
  const began = performance.now();
  const slow = await get('/api/models/org/m/revision/feature%2Fx');
  t.match(slow.json, { sha: hub.commit('org/m', 'feature/x') }, 'also when it is merely silent');
  t.ok(performance.now() - began < 8000, 'within the time that clients wait');
});
