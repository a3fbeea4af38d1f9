import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { entriesDuring, type Outcomes, runChecks } from '../support/checks.ts';
import { jsonFrom, runPython } from '../support/clients.ts';
import type { PythonEnvironment } from '../support/environments.ts';
import type { HubFile, HubRepo } from '../support/hub.ts';
import { float32, safetensors } from '../support/safetensors-writer.ts';
import { SCHEMES } from '../support/secure.ts';
import { torchFixtures } from '../support/torch-fixtures.ts';
import { startWorld, type World } from '../support/world.ts';

const VERSIONS: readonly (readonly [PythonEnvironment, string])[] = [
  ['torch', '0.36.2'],
  ['hub1', '1.33.0'],
  ['hub2', '2.4.0'],
];
const CLIENT_MS = 180_000;
const ALLOWED = `hf_${'allowed'.repeat(6)}`;
const OTHER = `hf_${'another'.repeat(6)}`;
const BRANCH = 'feature/slash';

const sha256 = (bytes: HubFile | undefined): string =>
  createHash('sha256')
    .update(bytes as Uint8Array | string)
    .digest('hex');
const digestsOf = (files: HubRepo['files']): Record<string, string> =>
  Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, sha256(bytes)]));

const WEIGHTS = safetensors(
  {
    a: { dtype: 'F32', shape: [2, 2], data: float32(1, 2, 3, 4) },
    b: { dtype: 'F32', shape: [300], data: float32(...Array.from({ length: 300 }, (_, at) => at)) },
  },
  { metadata: { format: 'pt' } },
);
const MODEL: HubRepo['files'] = {
  '.gitattributes': '*.safetensors filter=lfs\n',
  'README.md': '# A model\n\nIt does nothing.\n',
  'config.json': '{"model_type": "bert", "hidden_size": 8}',
  'generation_config.json': '{"max_length": 20}',
  'model.safetensors': WEIGHTS,
  'nested/deep/vocab.txt': '[PAD]\n[UNK]\nword\n',
  'nested/other.json': '{"a": [1, 2, 3]}',
};
const ODD: HubRepo['files'] = {
  'a#b.txt': 'hash\n',
  '100%.txt': 'per cent\n',
  '%41.txt': 'looks encoded\n',
  'two words.txt': 'a space\n',
  'plus+and&.txt': 'query signs\n',
  'question?.txt': 'question\n',
  'ünï-日本.txt': 'unicode\n',
  "quote'.txt": 'quote\n',
  'empty.txt': '',
  'resolve/main/x.txt': 'a path like ours\n',
};
const ROWS = [
  { name: 'one', value: 1 },
  { name: 'two', value: 2 },
];
const rest = { gated: 'auto' as const, allow: [ALLOWED] };

/** A Parquet file as the library of data sets writes it. */
const parquet = async (): Promise<Uint8Array> => {
  const script = `import base64, io, json, pyarrow as pa, pyarrow.parquet as pq
out = io.BytesIO()
pq.write_table(pa.Table.from_pylist(${JSON.stringify(ROWS)}), out)
print(json.dumps(base64.b64encode(out.getvalue()).decode()))`;
  return Buffer.from(String(jsonFrom(await runPython('hub1', script))), 'base64');
};

const repos = async (): Promise<HubRepo[]> => {
  const { single } = await torchFixtures();
  const many = Object.fromEntries(Array.from({ length: 25 }, (_, at) => [`data/${at}.txt`, `${at}\n`]));
  const config = { 'config.json': '{"model_type": "bert"}', 'README.md': '# Read\n' };
  return [
    {
      name: 'acme/tiny',
      files: MODEL,
      license: 'apache-2.0',
      branches: { [BRANCH]: { 'branch.txt': 'of a branch\n' }, 'refs/pr/1': { 'pr.txt': 'of a pull request\n' } },
    },
    {
      name: 'acme/pickled',
      files: Object.fromEntries(single.files.map((file) => [file, readFileSync(join(single.dir, file))])),
    },
    { name: 'acme/odd', files: ODD },
    { name: 'acme/many', files: many },
    { name: 'acme/gated', files: { ...config, 'model.safetensors': WEIGHTS }, ...rest },
    { name: 'acme/private', files: { ...config, 'model.safetensors': WEIGHTS }, private: true, allow: [ALLOWED] },
    { name: 'acme/disabled', files: config, disabled: true },
    { kind: 'datasets', name: 'acme/rows-csv', files: { 'train.csv': 'name,value\none,1\ntwo,2\n' } },
    {
      kind: 'datasets',
      name: 'acme/rows-json',
      files: { 'train.jsonl': ROWS.map((row) => `${JSON.stringify(row)}\n`).join('') },
    },
    { kind: 'datasets', name: 'acme/rows-parquet', files: { 'train.parquet': await parquet() } },
    { kind: 'spaces', name: 'acme/space', files: { 'README.md': '# Space\n', 'app.txt': 'text\n' } },
  ];
};

/** What the call returned; the whole exception, for the report of the test, when it did not return. */
const value = (done: Outcomes, name: string): unknown => {
  const outcome = done[name];
  return outcome?.error === undefined ? outcome?.value : { error: outcome.error, text: outcome.text };
};

const downloads = async (t: Test, done: Outcomes, world: World): Promise<void> => {
  const whole = digestsOf(MODEL);
  for (const name of ['snapshot', 'snapshot again', 'snapshot by commit', 'local_dir', 'local_dir again']) {
    t.same(value(done, name), whole, name);
  }
  const asked = await entriesDuring(world, done['snapshot']!);
  t.equal(asked.length, Object.keys(MODEL).length, 'each file is asked for once');
  for (const name of ['snapshot again', 'local_dir again', 'local_dir converted again', 'download local only']) {
    t.same(await entriesDuring(world, done[name]!), [], `${name}: no file is asked for`);
  }
  t.same(value(done, 'snapshot patterns'), ['config.json', 'generation_config.json', 'nested/other.json']);
  t.equal(value(done, 'download'), whole['model.safetensors']);
  t.equal(value(done, 'download local only'), whole['model.safetensors']);
  t.equal(value(done, 'download subfolder'), whole['nested/deep/vocab.txt']);
  t.equal(value(done, 'download forced'), whole['config.json']);
  t.equal(value(done, 'download branch'), 'of a branch\n', 'a branch with a slash');
  t.equal(value(done, 'download pull request'), 'of a pull request\n');
  t.same(Object.keys(value(done, 'dataset') as object), ['train.csv']);
  t.same(Object.keys(value(done, 'space') as object).sort(), ['README.md', 'app.txt']);
  t.same(value(done, 'odd names'), digestsOf(ODD));
  for (const [name, bytes] of Object.entries(ODD)) t.equal(value(done, `odd ${name}`), sha256(bytes), name);
};

const listings = (t: Test, done: Outcomes, world: World): void => {
  const commit = world.hub.commit('acme/tiny');
  const paths = Object.keys(MODEL).sort();
  t.match(value(done, 'model_info'), { id: 'acme/tiny', sha: commit, private: false, tags: ['license:apache-2.0'] });
  for (const name of ['model_info', 'model_info status']) {
    t.same(
      (value(done, name) as { files: unknown }).files,
      paths.map((path) => [path, null, null]),
      name,
    );
  }
  t.same(
    (value(done, 'model_info files') as { files: unknown }).files,
    paths.map((path) => {
      const file = world.hub.file('acme/tiny', path);
      return [path, file.size, file.lfs ? file.sha256 : null];
    }),
  );
  t.equal(value(done, 'dataset_info'), 'acme/rows-csv');
  t.same(value(done, 'list_repo_files'), paths);
  t.same(value(done, 'list_repo_tree'), [...paths, 'nested', 'nested/deep'].sort());
  t.same(value(done, 'list_repo_tree folder'), ['nested/deep', 'nested/other.json']);
  t.equal(value(done, 'list_repo_tree pages'), 26, 'every page is followed');
  t.same(value(done, 'file_exists'), [true, false, true]);
  t.same(value(done, 'repo_exists'), [true, false, true, false]);
  t.same(value(done, 'get_paths_info'), [
    ['config.json', 40],
    ['nested', null],
  ]);
  t.same(value(done, 'list_repo_refs'), [BRANCH, 'main']);
  t.same(value(done, 'list_repo_commits'), [commit]);
  t.equal(value(done, 'whoami'), 'bob');
  t.equal(value(done, 'auth_check'), null);
  t.equal(value(done, 'list_models'), true);
  t.same(value(done, 'safetensors metadata'), { sharded: false, files: ['model.safetensors'], tensors: 2 });
  const inside = (...names: string[]): string[] => names.map((name) => `acme/tiny/${name}`);
  t.same(value(done, 'fs ls'), inside(...paths.filter((path) => !path.includes('/')), 'nested'));
  t.same(value(done, 'fs glob'), inside('config.json', 'generation_config.json', 'nested/other.json'));
  t.same(value(done, 'fs exists'), [true, false]);
  const bytes = Buffer.from(WEIGHTS);
  const hex = (start: number, end?: number): string => bytes.subarray(start, end).toString('hex');
  t.equal(value(done, 'fs info'), bytes.length);
  t.equal(value(done, 'fs cat'), hex(8, 20));
  t.equal(value(done, 'fs cat end'), hex(-7));
  t.same(value(done, 'fs seek'), [hex(100, 110), hex(-10)]);
};

/** The repo that has only a pickle: one safetensors file in its place, the same in every call. */
const conversions = async (t: Test, done: Outcomes, world: World): Promise<void> => {
  const { single } = await torchFixtures();
  const names = single.files.map((file) => (file === 'pytorch_model.bin' ? 'model.safetensors' : file)).sort();
  t.same(value(done, 'list_repo_files converted'), names);
  const first = value(done, 'snapshot converted') as Record<string, string>;
  t.same(Object.keys(first).sort(), names);
  for (const name of ['snapshot converted again', 'local_dir converted', 'local_dir converted again']) {
    t.same(value(done, name), first, name);
  }
  const digest = first['model.safetensors'];
  const kept = (await world.entries()).find(({ kind }) => kind === 'conversion');
  t.match(kept, { artefact: { path: 'pytorch_model.bin', sha256: digest } });
  const size = kept?.['artefact'].size;
  const { files } = value(done, 'model_info converted') as { files: unknown[][] };
  t.match(
    files.find(([path]) => path === 'model.safetensors'),
    ['model.safetensors', size, digest],
  );
  t.same(value(done, 'get_paths_info converted'), [['model.safetensors', size]]);
  t.equal(value(done, 'fs converted'), digest);
  const tensors = Object.keys(single.tensors['pytorch_model.bin'] ?? {}).length;
  t.same(value(done, 'safetensors metadata converted'), { sharded: false, files: ['model.safetensors'], tensors });
  if (done['verify'] === undefined) return;
  t.match(value(done, 'verify'), { code: 0, output: /All checksums match/ });
  t.match(value(done, 'verify converted'), { code: 0, output: /All checksums match/ });
};

/** Who may not, may not, right after one who may; and every error is of the class that the Hub itself brings about. */
const errors = (t: Test, done: Outcomes): void => {
  const config = sha256('{"model_type": "bert"}');
  t.same(value(done, 'permitted'), [config, config]);
  t.equal((value(done, 'permitted snapshot') as Record<string, string>)['model.safetensors'], sha256(WEIGHTS));
  t.same(value(done, 'permitted again'), [config, config]);
  type Errors = Record<string, { error: string | null; text: string }>;
  const here = value(done, 'errors') as Errors;
  const direct = value(done, 'errors direct') as Errors;
  const classes = (all: Errors): unknown =>
    Object.fromEntries(Object.entries(all).map(([name, one]) => [name, one.error]));
  t.same(classes(here), classes(direct));
  t.match(here['no file']?.error, /EntryNotFoundError$/);
  t.match(here, {
    'no revision': { error: 'RevisionNotFoundError' },
    'no repo': { error: 'RepositoryNotFoundError' },
    'no snapshot': { error: 'RepositoryNotFoundError' },
    gated: { error: 'GatedRepoError', text: /Access to model acme\/gated is restricted/ },
    'gated with token': { error: 'GatedRepoError' },
    'gated readme': { error: null },
    private: { error: 'RepositoryNotFoundError' },
    'private with token': { error: 'RepositoryNotFoundError' },
    'private snapshot': { error: 'RepositoryNotFoundError' },
    'bad token download': { text: /Invalid credentials in Authorization header/ },
  });
};

const dataSets = (t: Test, done: Outcomes): void => {
  for (const kind of ['csv', 'json', 'parquet', 'streaming']) t.same(value(done, `load_dataset ${kind}`), ROWS, kind);
};

/** What upstream saw: nobody but the gateway at the second host, no token there, and no Xet. */
const upstream = (t: Test, { hub }: World): void => {
  t.equal(hub.xetRequests(), 0);
  const second = hub.log.filter(({ where }) => where === 'cdn');
  t.ok(second.length > 0);
  t.same(
    second.filter(({ headers }) => headers.authorization !== undefined || headers.cookie !== undefined),
    [],
  );
  t.same([...new Set(second.map(({ headers }) => headers['user-agent']))], ['weighbridge']);
};

const everyCall = async (t: Test, environment: PythonEnvironment, version: string, secure: boolean): Promise<void> => {
  const world = await startWorld(t, await repos(), {
    secure,
    hub: { pageSize: 10, users: { [ALLOWED]: { name: 'ada' }, [OTHER]: { name: 'bob' } } },
  });
  const plan = {
    model: 'acme/tiny',
    converted: 'acme/pickled',
    odd: 'acme/odd',
    oddNames: Object.keys(ODD),
    many: 'acme/many',
    commit: world.hub.commit('acme/tiny'),
    branch: BRANCH,
    dataset: 'acme/rows-csv',
    space: 'acme/space',
    gated: 'acme/gated',
    private: 'acme/private',
    disabled: 'acme/disabled',
    token: OTHER,
    allowed: ALLOWED,
    direct: world.hub.url,
    datasets: environment === 'hub1',
  };
  const done = await runChecks(environment, 'hub', world, plan, { timeout: CLIENT_MS });
  t.equal(done['version'], version);
  await downloads(t, done, world);
  listings(t, done, world);
  await conversions(t, done, world);
  errors(t, done);
  if (environment === 'hub1') dataSets(t, done);
  upstream(t, world);
};

for (const { scheme, secure } of SCHEMES) {
  for (const [environment, version] of VERSIONS) {
    t.test(`huggingface_hub ${version} over ${scheme}`, (t) => everyCall(t, environment, version, secure));
  }
}
