import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Outcome, runChecks, traceback } from '../support/checks.ts';
import { jsonFrom, runCommand, runJavaScript, runProgram } from '../support/clients.ts';
import type { PythonEnvironment } from '../support/environments.ts';
import type { HubRepo } from '../support/hub.ts';
import { assemble, callForms, op, pickled, text } from '../support/pickle-assembler.ts';
import { float32, safetensors } from '../support/safetensors-writer.ts';
import { SCHEMES } from '../support/secure.ts';
import { torchFixtures } from '../support/torch-fixtures.ts';
import { startWorld, type World } from '../support/world.ts';
import { writeZip } from '../support/zip-writer.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const CLIENT_MS = 120_000;
const CLIENTS: readonly PythonEnvironment[] = ['torch', 'hub1', 'hub2'];
const REQUEST_ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;

/** A pickle that would run a command when loaded: `true`, which does nothing. */
const ATTACK = pickled(2, callForms['globalReduce']!('os', 'system', [text('true', 2)]));
/** The same where torch keeps its pickle. */
const CHECKPOINT = writeZip([
  { name: 'archive/data.pkl', data: ATTACK },
  { name: 'archive/version', data: '3\n' },
]);
/** Bytes that take a while, then the call: nothing can be said of it before all of it is there. */
const slow = (seed: number): Uint8Array =>
  assemble(op.proto(4), op.binbytes(new Uint8Array(2 * MIB).fill(seed)), op.pop(), ATTACK.subarray(2));
const WEIGHTS = safetensors({ a: { dtype: 'F32', shape: [2], data: float32(1, 2) } }, { metadata: { format: 'pt' } });
const CONFIG = '{"model_type": "bert", "architectures": ["BertModel"], "hidden_size": 8, "num_attention_heads": 2}';

const REPOS: readonly HubRepo[] = [
  { name: 'acme/evil', files: { 'config.json': CONFIG, 'pytorch_model.bin': CHECKPOINT } },
  { name: 'acme/mixed', files: { 'config.json': CONFIG, 'model.safetensors': WEIGHTS, 'extra.pkl': ATTACK } },
  { kind: 'datasets', name: 'acme/poison', files: { 'train.csv': ATTACK, 'README.md': '# Rows\n' } },
];

const { sharded } = await torchFixtures();
const SHARD = /-00001-of-\d+\.bin$/;
/** Repos whose verdict comes only when their weights are asked for, of their own for each client. */
const lateRepos = (client: string, seed: number): readonly HubRepo[] => [
  { name: `acme/late-${client}`, files: { 'config.json': CONFIG, 'pytorch_model.bin': slow(seed) } },
  { name: `acme/disguised-${client}`, files: { 'config.json': CONFIG, 'model.safetensors': slow(seed + 1) } },
  {
    name: `acme/shard-${client}`,
    files: Object.fromEntries(
      sharded.files.map((file) => [file, SHARD.test(file) ? CHECKPOINT : readFileSync(join(sharded.dir, file))]),
    ),
  },
];

const REFUSED = /Weighbridge refuses \S+: inspection found something dangerous: .*os\.system/;

/** The call failed, its text says who refused what and why, and the request that it names is in the log. */
const refused = (t: Test, name: string, text: string | undefined, ids: ReadonlySet<string>): void => {
  t.match(text, REFUSED, `${name} fails with the reason`);
  const id = REQUEST_ID.exec(text?.slice(text.indexOf('Weighbridge refuses')) ?? '')?.[0] ?? 'none';
  t.ok(ids.has(id), `${name} names a request of the log`);
};

const requestIds = async (world: World): Promise<ReadonlySet<string>> =>
  new Set((await world.entries()).flatMap(({ request }) => (request === undefined ? [] : [request.id])));

/** Calls that must fail with the reason in the text of the exception itself. */
const LOUD: Readonly<Record<PythonEnvironment, readonly string[]>> = (() => {
  const all = ['download', 'download converted', 'download config', 'snapshot', 'snapshot local_dir', 'model_info'];
  const hub = [...all, 'mixed bad', 'mixed snapshot', 'mixed bad head', 'dataset'];
  return {
    torch: [...hub, 'AutoConfig', 'AutoTokenizer', 'AutoModel'],
    hub1: [...hub, 'load_dataset', 'load_dataset streaming'],
    hub2: [...hub, 'AutoConfig', 'AutoTokenizer'],
  };
})();

for (const { scheme, secure } of SCHEMES) {
  t.test(`over ${scheme} every call of a Python client says why it got nothing`, async (t) => {
    const world = await startWorld(t, REPOS, { secure });
    for (const client of CLIENTS) {
      const plan = { transformers: client !== 'hub1', torch: client === 'torch', datasets: client === 'hub1' };
      const done = await runChecks(client, 'refusals', world, plan, { timeout: CLIENT_MS });
      const ids = await requestIds(world);
      for (const name of LOUD[client]) refused(t, `${client} ${name}`, done[name]?.text, ids);
      // fsspec has one word for everything that is not there; the reason is in the traceback.
      refused(t, `${client} fs`, traceback(done['fs'] as Outcome), ids);
      t.equal(done['mixed good']?.value, sha256(WEIGHTS), 'a good file beside a bad one arrives');
      t.same(done['left behind']?.value, [], 'nothing refused is on the disk');
    }
  });

  t.test(`over ${scheme} curl and JavaScript print the reason`, async (t) => {
    const world = await startWorld(t, REPOS, { secure });
    const curl = (path: string) =>
      runProgram('curl', ['-sS', '--max-time', '30', `${world.endpoint}/${path}`], { env: world.trust });
    const files = ['acme/evil/resolve/main/pytorch_model.bin', 'datasets/acme/poison/resolve/main/train.csv'];
    const printed = await Promise.all([...files, 'api/models/acme/evil'].map(curl));
    const script = `
      import * as hub from '@huggingface/hub';
      import { AutoConfig, env } from '@huggingface/transformers';
      const hubUrl = process.argv.at(-1);
      env.remoteHost = hubUrl + '/';
      env.allowLocalModels = false;
      env.cacheDir = process.env.HOME + '/transformers/';
      const texts = {};
      const check = async (name, work) => {
        try { await work(); texts[name] = ''; } catch (error) { texts[name] = String(error.message); }
      };
      const repo = 'acme/evil';
      await check('download', async () => (await hub.downloadFile({ repo, path: 'pytorch_model.bin', hubUrl })).arrayBuffer());
      await check('info', () => hub.modelInfo({ name: repo, hubUrl }));
      await check('snapshot', () => hub.snapshotDownload({ repo, hubUrl, cacheDir: process.env.HOME + '/cache' }));
      await check('transformers', () => AutoConfig.from_pretrained(repo));
      console.log(JSON.stringify(texts));`;
    const texts = jsonFrom(await runJavaScript(script, { args: [world.endpoint], env: world.trust })) as Record<
      string,
      string
    >;
    const ids = await requestIds(world);
    for (const { stdout } of printed) refused(t, 'curl', stdout, ids);
    for (const name of ['download', 'info', 'snapshot']) refused(t, `JavaScript ${name}`, texts[name], ids);
    t.match(texts['transformers'], /Forbidden access to file/, 'transformers.js has words of its own');
  });

  t.test(`over ${scheme} the command of the Hub prints it, too`, async (t) => {
    const world = await startWorld(t, REPOS, { secure });
    const asked = [
      ['acme/mixed', 'extra.pkl'],
      ['acme/mixed'],
      ['acme/evil'],
      ['acme/poison', '--repo-type', 'dataset'],
    ];
    const runs = (['torch', 'hub1', 'hub2'] as const).flatMap((client) => {
      const command = client === 'torch' ? 'huggingface-cli' : 'hf';
      return asked.map((rest) => ({ client, command, rest }));
    });
    for (const { client, command, rest } of runs) {
      const args = ['download', ...rest];
      const set = { ...world.trust, HF_ENDPOINT: world.endpoint, HF_HUB_DISABLE_UPDATE_CHECK: '1' };
      const { code, stdout, stderr } = await runCommand(client, command, { args, env: set });
      t.not(code, 0);
      refused(t, `${client} ${rest.join(' ')}`, (stdout + stderr).replace(/\s+/g, ' '), await requestIds(world));
    }
  });

  t.test(`over ${scheme} a refusal that comes only at the weights is not lost`, async (t) => {
    const clients = [
      ['torch', 'from_pretrained'],
      ['hub1', 'snapshot'],
      ['hub2', 'cached_file'],
    ] as const;
    const repos = clients.flatMap(([client], at) => lateRepos(client, 2 * at));
    const world = await startWorld(t, repos, { secure, timings: { answerWithin: 500 } });
    world.hub.fail({ kind: 'drip', chunk: 64 * KIB, ms: 100, where: 'cdn' });
    await Promise.all(
      clients.map(async ([client, load]) => {
        const plan = { load, repos: ['late', 'disguised', 'shard'].map((name) => `acme/${name}-${client}`) };
        const done = await runChecks(client, 'late', world, plan, { timeout: CLIENT_MS });
        const ids = await requestIds(world);
        for (const repo of plan.repos) {
          refused(t, repo, done[repo]?.text, ids);
          refused(t, `${repo} again`, done[`${repo} again`]?.text, ids);
          if (!repo.startsWith('acme/shard'))
            refused(t, `${repo} config`, traceback(done[`${repo} config`] as Outcome), ids);
        }
        t.same(done['left behind']?.value, [], 'no refused byte is on the disk');
      }),
    );
  });
}

t.test(
  'transformers is sent to read why a weights file is refused; what nobody refused is not told there',
  async (t) => {
    const world = await startWorld(t, REPOS);
    const agent = 'transformers/4.46.3; hf_hub/0.36.2; python/3.11.2';
    const sent = await world.fetch('acme/evil/resolve/main/model.safetensors', { agent, method: 'HEAD' });
    t.equal(sent.status, 307);
    t.match(sent.headers.get('x-weighbridge-decision'), /^deny; rule=default\/dangerous$/);
    const location = sent.headers.get('location') ?? '';
    t.match(location, /^\/hf\/-\/refused\/[0-9a-f-]{36}$/, 'a path of the same origin without a query');
    const told = await world.fetch(location.slice('/hf/'.length), { agent });
    t.equal(told.status, 401);
    t.equal(told.headers.get('x-error-code'), null);
    t.match(told.headers.get('x-error-message'), REFUSED);
    t.match(await told.json(), { error: REFUSED });
    const config = await world.fetch('acme/evil/resolve/main/config.json', { agent });
    t.equal(config.status, 403, 'elsewhere the text is not lost');
    t.equal(config.headers.get('x-error-code'), 'GatedRepo');
    for (const id of ['unknown', 'x'.repeat(3000), '%3Cscript%3E', 'a%0Ab']) {
      const answer = await world.fetch(`-/refused/${id}`);
      t.ok([400, 401].includes(answer.status), id.slice(0, 20));
      t.ok((answer.headers.get('x-error-message') ?? '').length <= 300);
      t.match(answer.headers.get('content-type'), /^application\/json/);
    }
  },
);
