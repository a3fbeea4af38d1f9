import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { jsonFrom, runJavaScript, runProgram } from '../support/clients.ts';
import { gguf } from '../support/gguf-writer.ts';
import { safetensors } from '../support/safetensors-writer.ts';
import { SCHEMES } from '../support/secure.ts';
import { torchFixtures } from '../support/torch-fixtures.ts';
import { startWorld } from '../support/world.ts';

const TOKEN = `hf_${'someone'.repeat(6)}`;
const MIB = 1024 * 1024;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
/** `count` numbers as a file of weights. */
const weights = (count: number): Uint8Array => {
  const data = new Uint8Array(Float32Array.from({ length: count }, (_, at) => at).buffer);
  return safetensors({ weight: { dtype: 'F32', shape: [count], data } }, { metadata: { format: 'pt' } });
};
const WEIGHTS = weights(500);

for (const { scheme, secure } of SCHEMES) {
  t.test(`over ${scheme} the JavaScript clients list, read and load through the gateway`, async (t) => {
    const { single } = await torchFixtures();
    const pickled = Object.fromEntries(single.files.map((file) => [file, readFileSync(join(single.dir, file))]));
    const many = Object.fromEntries(Array.from({ length: 25 }, (_, at) => [`data/${at}.txt`, `${at}\n`]));
    const world = await startWorld(
      t,
      [
        { name: 'acme/tiny', files: { 'config.json': '{"model_type":"bert"}', 'model.safetensors': WEIGHTS, ...many } },
        { name: 'acme/pickled', files: pickled },
        { name: 'acme/odd', files: { 'two words#.txt': 'odd\n', 'nested/ü.txt': 'umlaut\n' } },
      ],
      { secure, hub: { pageSize: 10, users: { [TOKEN]: { name: 'ada' } } } },
    );
    const script = `
    import { createHash } from 'node:crypto';
    import * as hub from '@huggingface/hub';
    import { AutoConfig, AutoTokenizer, env } from '@huggingface/transformers';
    const hubUrl = process.argv.at(-1);
    const results = {};
    const check = async (name, work) => {
      try { results[name] = { value: (await work()) ?? null }; }
      catch (error) { results[name] = { error: error.constructor.name, text: String(error.message), status: error.statusCode }; }
    };
    const sha256 = async (blob) => createHash('sha256').update(Buffer.from(await blob.arrayBuffer())).digest('hex');
    const list = async (repo, more) => {
      const paths = [];
      for await (const { path } of hub.listFiles({ repo, hubUrl, recursive: true, ...more })) paths.push(path);
      return paths.sort();
    };
    await check('list', () => list('acme/tiny'));
    await check('list converted', () => list('acme/pickled'));
    await check('download', async () => sha256(await hub.downloadFile({ repo: 'acme/tiny', path: 'model.safetensors', hubUrl })));
    await check('download plain', async () => sha256(await hub.downloadFile({ repo: 'acme/tiny', path: 'model.safetensors', hubUrl, xet: false })));
    await check('download part', async () => {
      const blob = await hub.downloadFile({ repo: 'acme/tiny', path: 'model.safetensors', hubUrl });
      return Buffer.from(await blob.slice(8, 20).arrayBuffer()).toString('hex');
    });
    await check('download odd', async () => (await hub.downloadFile({ repo: 'acme/odd', path: 'nested/ü.txt', hubUrl })).text());
    await check('absent', () => hub.downloadFile({ repo: 'acme/tiny', path: 'no.json', hubUrl }));
    await check('exists', async () => [await hub.fileExists({ repo: 'acme/tiny', path: 'config.json', hubUrl }), await hub.fileExists({ repo: 'acme/tiny', path: 'no.json', hubUrl })]);
    await check('info', () => hub.modelInfo({ name: 'acme/tiny', hubUrl, additionalFields: ['sha', 'tags'] }));
    await check('metadata', async () => Object.keys((await hub.parseSafetensorsMetadata({ repo: 'acme/tiny', hubUrl })).header));
    await check('metadata converted', async () => Object.keys((await hub.parseSafetensorsMetadata({ repo: 'acme/pickled', hubUrl })).header).length);
    await check('paths', async () => (await hub.pathsInfo({ repo: 'acme/tiny', paths: ['config.json', 'no.json'], hubUrl })).map(({ path, size }) => [path, size]));
    await check('who', async () => (await hub.whoAmI({ accessToken: '${TOKEN}', hubUrl })).name);
    await check('nobody', () => hub.whoAmI({ accessToken: 'hf_${'wrong'.repeat(8)}', hubUrl }));
    await check('no repo', () => list('acme/none'));
    await check('models', async () => { const names = []; for await (const { name } of hub.listModels({ hubUrl, limit: 3 })) names.push(name); return names; });
    await check('snapshot', () => hub.snapshotDownload({ repo: 'acme/pickled', hubUrl, cacheDir: process.env.HOME + '/cache' }).then(() => true));
    env.remoteHost = hubUrl + '/';
    env.allowLocalModels = false;
    env.cacheDir = process.env.HOME + '/transformers/';
    await check('config', async () => (await AutoConfig.from_pretrained('acme/pickled')).hidden_size);
    await check('tokenizer', async () => (await AutoTokenizer.from_pretrained('acme/pickled'))('word1 word2').input_ids.tolist()[0].map(Number));
    console.log(JSON.stringify(results));`;
    const done = jsonFrom(await runJavaScript(script, { args: [world.endpoint], env: world.trust })) as Record<
      string,
      unknown
    >;
    t.match(done, {
      download: { value: sha256(WEIGHTS) },
      'download plain': { value: sha256(WEIGHTS) },
      'download part': { value: Buffer.from(WEIGHTS.subarray(8, 20)).toString('hex') },
      'download odd': { value: 'umlaut\n' },
      absent: { value: null },
      exists: { value: [true, false] },
      info: { value: { name: 'acme/tiny', sha: world.hub.commit('acme/tiny') } },
      metadata: { value: ['__metadata__', 'weight'] },
      paths: { value: [['config.json', 21]] },
      who: { value: 'ada' },
      nobody: { error: 'HubApiError', status: 401 },
      'no repo': { error: 'HubApiError', status: 401 },
      models: { value: ['acme/tiny', 'acme/pickled', 'acme/odd'] },
      snapshot: { value: true },
      config: { value: 32 },
      tokenizer: { value: [2, 6, 7, 3] },
    });
    const listed = (done['list'] as { value: string[] }).value;
    t.equal(listed.filter((path) => path.startsWith('data/')).length, 25, 'over three pages');
    t.match(listed, /model.safetensors/);
    const names = (done['list converted'] as { value: string[] }).value;
    t.ok(names.includes('model.safetensors') && !names.includes('pytorch_model.bin'));
    const tensors = Object.keys(single.tensors['pytorch_model.bin'] ?? {}).length;
    t.match(done['metadata converted'], { value: tensors + 1 });
    t.equal(world.hub.xetRequests(), 0);
  });

  t.test(`over ${scheme} curl downloads, resumes what it has half of, and prints why it gets nothing`, async (t) => {
    const file = weights(400_000);
    const world = await startWorld(
      t,
      [{ name: 'acme/tiny', files: { 'model.safetensors': file, 'b.safetensors': WEIGHTS } }],
      { secure },
    );
    const folder = t.testdir({});
    const url = `${world.endpoint}/acme/tiny/resolve/main/model.safetensors`;
    const curl = (...args: string[]) =>
      runProgram('curl', ['-sS', '--max-time', '30', ...args], { directory: folder, env: world.trust });
    writeFileSync(join(folder, 'cold'), file.subarray(0, 1 * MIB));
    t.match(await curl('-C', '-', '-o', 'cold', url), { code: 0, stderr: '' });
    t.equal(
      sha256(readFileSync(join(folder, 'cold'))),
      sha256(file),
      'resumed while the gateway did not have the file',
    );
    t.match(await curl('-o', 'whole', url), { code: 0 });
    t.equal(sha256(readFileSync(join(folder, 'whole'))), sha256(file));
    writeFileSync(join(folder, 'warm'), file.subarray(0, 12_345));
    t.match(await curl('-C', '-', '-o', 'warm', url), { code: 0 });
    t.equal(sha256(readFileSync(join(folder, 'warm'))), sha256(file));
    const again = await curl('-C', '-', '-o', 'warm', '-w', '%{http_code}', url);
    t.match(again.stdout, /416/, 'nothing is left to ask for');
    t.equal(sha256(readFileSync(join(folder, 'warm'))), sha256(file));
    const part = await curl('-r', '0-7', '-o', 'part', '-w', '%{http_code}', url);
    t.equal(part.stdout, '206');
    t.equal(readFileSync(join(folder, 'part')).length, 8);
    const head = await curl('-I', url);
    t.match(head.stdout, new RegExp(`content-length: ${file.length}\\r\\n`));
    t.match(head.stdout, new RegExp(`etag: "${sha256(file)}"`));
    t.match((await curl(`${world.endpoint}/acme/tiny/resolve/main/no.json`)).stdout, /"error":"Entry not found/);
  });

  t.test(`over ${scheme} llama.cpp finds a model by refs and tree, and resumes it`, async (t) => {
    const file = gguf({});
    const many = Object.fromEntries(Array.from({ length: 25 }, (_, at) => [`data/${at}.txt`, `${at}\n`]));
    const world = await startWorld(t, [{ name: 'acme/llama', files: { ...many, 'model-Q4.gguf': file } }], {
      secure,
      hub: { pageSize: 10 },
    });
    const agent = 'llama-cpp/b7000';
    const ask = (path: string, init: RequestInit = {}) => world.fetch(path, { agent, ...init });
    const refs = (await (await ask('api/models/acme/llama/refs')).json()) as { branches: { targetCommit: string }[] };
    const commit = refs.branches[0]?.targetCommit;
    const tree = await ask(`api/models/acme/llama/tree/${commit}?recursive=true`);
    t.equal(tree.headers.get('link'), null, 'one page');
    const entries = (await tree.json()) as { path: string; size: number; lfs?: { oid: string }; xetHash?: string }[];
    t.equal(entries.length, 27);
    const found = entries.find(({ path }) => path.endsWith('.gguf'));
    t.match(found, { size: file.length, lfs: { oid: sha256(file) } });
    t.notOk(found?.xetHash);
    const path = `acme/llama/resolve/${commit}/model-Q4.gguf`;
    const head = await ask(path, { method: 'HEAD' });
    t.equal(head.status, 200);
    t.equal(head.headers.get('content-length'), String(file.length));
    t.equal(head.headers.get('accept-ranges'), 'bytes');
    const rest = await ask(path, { headers: { range: `bytes=10-` } });
    t.equal(rest.status, 206);
    t.equal(sha256(Buffer.from(await rest.arrayBuffer())), sha256(file.subarray(10)));
    const whole = await ask(path);
    t.equal(sha256(Buffer.from(await whole.arrayBuffer())), sha256(file));
  });

  t.test(`over ${scheme} git and git-lfs are refused, and say why`, async (t) => {
    const world = await startWorld(t, [{ name: 'acme/tiny', files: { 'model.safetensors': WEIGHTS } }], { secure });
    const folder = t.testdir({});
    mkdirSync(join(folder, 'home'));
    const env = { GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1', HOME: join(folder, 'home'), ...world.trust };
    const clone = await runProgram('git', ['clone', `${world.endpoint}/acme/tiny`, join(folder, 'clone')], { env });
    t.equal(clone.code, 128);
    t.match(clone.stderr, /remote: Weighbridge does not serve git: a clone would bypass the inspection/);
    const lfs = await world.fetch('acme/tiny.git/info/lfs/objects/batch', { method: 'POST', body: '{}' });
    t.equal(lfs.status, 403);
    t.match(await lfs.json(), { message: /Weighbridge does not serve git/ });
  });
}
