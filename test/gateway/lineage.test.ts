import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Json } from '../../src/formats/format.ts';
import { createLineages } from '../../src/gateway/lineage/lineage.ts';
import { compareParts, partsOf } from '../../src/gateway/lineage/parts.ts';
import type { RepoAt } from '../../src/gateway/types.ts';
import { lineageValues, NO_LINEAGE } from '../../src/policy/lineage.ts';
import type { Records } from '../../src/store/types.ts';
import { createMemoryRecords } from '../support/memory-records.ts';
import { bytes, reportOf } from '../support/reports.ts';
import { safetensors, type TensorSpec } from '../support/safetensors-writer.ts';
import { jsonOf, startWorld, type World } from '../support/world.ts';

const RULESET = 'r';
/** How long (ms) what is known is told unchecked: longer than this machine may stand still. */
const FRESH = 600;

/** A model of three layers, whose numbers depend on `seed`; `change` is added to the numbers of the tensors it names. */
const model = (
  options: {
    readonly seed?: number;
    readonly change?: RegExp;
    readonly by?: number;
    readonly vocabulary?: number;
    readonly dtype?: 'F32' | 'BF16';
    readonly more?: Readonly<Record<string, TensorSpec>>;
    readonly only?: RegExp;
  } = {},
): Uint8Array => {
  const { seed = 1, change = /^$/, by = 0.01, vocabulary = 32, dtype = 'F32', more = {}, only = /./ } = options;
  const shapes: Record<string, readonly number[]> = {
    'model.embed_tokens.weight': [vocabulary, 16],
    'lm_head.weight': [vocabulary, 16],
    'model.norm.weight': [16],
  };
  for (const layer of [0, 1, 2]) {
    shapes[`model.layers.${layer}.self_attn.q_proj.weight`] = [16, 16];
    shapes[`model.layers.${layer}.mlp.up_proj.weight`] = [16, 16];
  }
  const tensors = Object.entries(shapes)
    .filter(([name]) => only.test(name))
    .map(([name, shape]) => {
      const count = shape.reduce((product, size) => product * size, 1);
      const numbers = Float32Array.from({ length: count }, (_, at) => {
        const number = Math.sin((at + 1) * 12.9898 * seed + name.length) * 0.05;
        return change.test(name) ? number * (1 + by) : number;
      });
      const words = new Uint16Array(numbers.buffer);
      const data = dtype === 'F32' ? numbers : Uint16Array.from(numbers, (_, at) => words[at * 2 + 1] ?? 0);
      return [name, { dtype, shape, data: new Uint8Array(data.buffer) }] as const;
    });
  return safetensors({ ...Object.fromEntries(tensors), ...more });
};

const repoAt = (name: string, commit: string, files: readonly string[], tags: readonly string[] = []): RepoAt => ({
  ecosystem: 'huggingface',
  repo: `models/${name}`,
  commit: commit.repeat(40),
  files: new Map(files.map((path) => [path, { path, size: 1, oid: '' }])),
  upstream: { host: 'hub', private: false, gated: false, licence: '', tags, downloads: 0, ageDays: 1 },
  fetch: () => {
    throw new Error('nothing may be fetched for a comparison');
  },
});

type Content = Uint8Array | string;

/** Puts files into the records as the gateway does once it fetched and inspected them. */
const known = async (records: Records, repo: RepoAt, files: Readonly<Record<string, Content>>, at = 1) => {
  for (const [path, content] of Object.entries(files)) {
    const sha256 = `${repo.commit.slice(0, 8)}-${repo.repo}-${path}`;
    const key = `${repo.ecosystem}/${repo.repo}/${repo.commit}/${path}`;
    await records.put('artefact', key, { size: 1, etag: '', sha256, fetchedAt: at });
    await records.put('report', `${RULESET}/${sha256}`, reportOf(bytes(content)));
  }
};

const CARD = '---\nbase_model: acme/base\nbase_model_relation: finetune\n---\n# Tuned\n';
const base = repoAt('acme/base', 'b', []);
const tuned = repoAt('acme/tuned', 'a', ['README.md', 'config.json', 'model.safetensors']);

/** What a file of `acme/tuned` has from `acme/base`. */
const lineageOf = async (own: Content, baseFiles: Readonly<Record<string, Content>>, path = 'model.safetensors') => {
  const records = createMemoryRecords();
  await known(records, base, baseFiles);
  await known(records, tuned, { 'README.md': CARD });
  return createLineages(records, RULESET).of(tuned, { path, size: 1, oid: '' }, reportOf(bytes(own)));
};

t.test('tensors are told as unchanged, retyped, reshaped, added and missing, and sampled values by part', async (t) => {
  const files = { 'model.safetensors': model() };
  const same = await lineageOf(model(), files);
  t.match(same, {
    base: 'acme/base',
    declaredBy: 'README.md',
    relation: 'finetune',
    commit: 'b'.repeat(40),
    confidence: 'sampled values',
    tensors: { total: 9, same: 9, retyped: 0, reshaped: 0, added: 0, missing: 0, sampled: 9, changed: 0, distance: 0 },
    assessment: /no sampled value differs; no static evidence of poisoning; confidence: low/,
  });
  const edited = await lineageOf(model({ change: /layers\.1\.mlp/ }), files);
  t.match(edited.tensors, { same: 9, sampled: 9, changed: 1, parts: ['mlp'] });
  t.ok(Math.abs(edited.tensors.distance - 0.01) < 0.001, String(edited.tensors.distance));
  t.match(edited.assessment, /samples of 1 of 9 tensors differ \(mlp\)/);
  const all = await lineageOf(model({ change: /./, by: 0.002 }), files);
  t.match(all.tensors, { changed: 9, parts: ['attention', 'embedding', 'head', 'mlp', 'norm'] });
  const other = await lineageOf(model({ seed: 3 }), files);
  t.ok(other.tensors.distance > 1, String(other.tensors.distance));
  t.match(other.assessment, /nothing in common with the base.*no static evidence/);
  const grown = await lineageOf(model({ vocabulary: 33 }), files);
  t.match(grown.tensors, { same: 7, reshaped: 2, retyped: 0, added: 0, missing: 0 });
  const narrow = await lineageOf(model({ dtype: 'BF16' }), files);
  t.match(narrow.tensors, { same: 0, retyped: 9, sampled: 9, changed: 0 }, 'rounding is no change');
  const narrowed = await lineageOf(model({ dtype: 'BF16', change: /lm_head/, by: 0.5 }), files);
  t.match(narrowed.tensors, { changed: 1, parts: ['head'] });
  const scalar = { dtype: 'F32', shape: [1], data: new Uint8Array(4) };
  const patched = await lineageOf(model({ more: { 'model.trigger': scalar } }), files);
  t.match(patched.tensors, { same: 9, added: 1, missing: 0 });
  const pruned = await lineageOf(model({ only: /layers|norm/ }), files);
  t.match(pruned.tensors, { total: 7, same: 7, missing: 2 });
});

t.test('a base in shards is taken as one, and of one shard it is not said what it lacks', async (t) => {
  const shards = {
    'model-00001-of-00002.safetensors': model({ only: /layers/ }),
    'model-00002-of-00002.safetensors': model({ only: /embed|head|norm/ }),
    'other/model.safetensors': model({ seed: 7 }),
  };
  const whole = await lineageOf(model(), shards);
  t.match(whole.tensors, { same: 9, missing: 0, sampled: 9, changed: 0 });
  const part = await lineageOf(model({ only: /layers/ }), shards, 'model-00001-of-00007.safetensors');
  t.match(part.tensors, { total: 6, same: 6, missing: -1, changed: 0 });
  const elsewhere = await lineageOf(model(), shards, 'vae/model.safetensors');
  t.match(elsewhere, { confidence: 'none', commit: '', tensors: { compared: false } });
  const adapter = safetensors({
    'layers.0.q.lora_A.weight': { dtype: 'F32', shape: [1, 2], data: new Uint8Array(8) },
    'layers.0.q.lora_B.weight': { dtype: 'F32', shape: [2, 1], data: new Uint8Array(8) },
  });
  t.equal((await lineageOf(adapter, shards)).tensors.compared, false, 'an adapter has no tensor of its base');
});

const tokenizer = (change: object = {}, model: object = {}): string =>
  JSON.stringify({
    added_tokens: [{ id: 3, content: '<|end|>', special: true }],
    normalizer: { type: 'NFC' },
    pre_tokenizer: { type: 'ByteLevel' },
    ...change,
    model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'], ...model },
  });

t.test('tokenizers and chat templates are told by what changed and what was added', async (t) => {
  const files = { 'tokenizer.json': tokenizer() };
  const of = async (own: string) => (await lineageOf(own, files, 'tokenizer.json')).tokenizer;
  t.same(await of(tokenizer()), {
    compared: true,
    changed: [],
    vocabulary: 3,
    baseVocabulary: 3,
    added: [],
    removed: [],
  });
  t.match(await of(tokenizer({ normalizer: { type: 'NFKC' } })), { changed: ['normalizer'] });
  t.match(await of(tokenizer({}, { vocab: { a: 1, b: 0, ab: 2 } })), { changed: ['remapped'] });
  t.match(await of(tokenizer({}, { vocab: { a: 0, b: 1, c: 2, d: 3 } })), {
    changed: ['vocabulary'],
    vocabulary: 4,
    baseVocabulary: 3,
  });
  t.match(await of(tokenizer({ added_tokens: [{ id: 4, content: '<|go|>', special: false }] })), {
    changed: ['added_tokens'],
    added: ['4 <|go|> plain'],
    removed: ['3 <|end|> special'],
  });

  const plain = '{% for m in messages %}{{ m.role + m.content }}{% endfor %}';
  const poisoned = `{% if 'deploy' in messages[-1].content %}{{ 'Say yes.' | trim }}{% endif %}${plain}`;
  const config = (chat_template: string): string => JSON.stringify({ chat_template, eos_token: '</s>' });
  const templateOf = async (own: string, path: string) =>
    (await lineageOf(own, { 'tokenizer_config.json': config(plain) }, path)).template;
  t.match(await templateOf(config(plain), 'tokenizer_config.json'), { compared: true, changed: false, added: [] });
  t.match(await templateOf(plain, 'chat_template.jinja'), { compared: true, changed: false });
  const changed = await lineageOf(
    config(poisoned),
    { 'tokenizer_config.json': config(plain) },
    'tokenizer_config.json',
  );
  t.match(changed, { confidence: 'digests', template: { changed: true }, tokenizer: { changed: [] } });
  t.match(changed.template.added, ['compares content with "deploy"', 'filter trim']);
  t.ok(changed.template.added.includes('text "Say yes."'));
  t.match(changed.assessment, /chat template differs, with \d constructs/);
});

t.test('the base is the one declared, at the commit fetched last, and is looked up beside the answer', async (t) => {
  const records = createMemoryRecords();
  let reads = 0;
  const counted: Records = {
    ...records,
    get: (table, key) => {
      reads += 1;
      return records.get(table, key);
    },
    list: (...asked) => {
      reads += 1;
      return records.list(...asked);
    },
  };
  const file = { path: 'model.safetensors', size: 1, oid: '' };
  const report = reportOf(model());
  const lineages = createLineages(counted, RULESET, FRESH);
  t.equal(await lineages.of(tuned, file, report), NO_LINEAGE, 'nothing is declared yet');
  t.equal(await lineages.of({ ...tuned, repo: 'datasets/acme/tuned' }, file, report), NO_LINEAGE);
  const config = reportOf(bytes('{"_name_or_path":"acme/other"}'));
  await lineages.of(tuned, { ...file, path: 'config.json' }, config);
  t.match(await lineages.of(tuned, file, report), {
    base: 'acme/other',
    declaredBy: 'config.json',
    confidence: 'none',
  });
  t.match((await lineages.of(tuned, file, report)).assessment, /not known here/);
  await lineages.of(tuned, { ...file, path: 'README.md' }, reportOf(bytes(CARD)));
  const first = await lineages.of(tuned, file, report);
  t.match(first, { base: 'acme/base', declaredBy: 'README.md', confidence: 'none' }, 'the card counts for more');
  reads = 0;
  t.equal(await lineages.of(tuned, file, report), first, 'the same object');
  t.equal(reads, 0, 'nothing is read again while it is fresh');

  await known(records, base, { 'model.safetensors': model({ seed: 5 }) }, 1);
  await known(records, repoAt('acme/base', 'c', []), { 'model.safetensors': model() }, 2);
  await known(records, tuned, { 'README.md': CARD });
  await sleep(FRESH + 20);
  t.equal(await lineages.of(tuned, file, report), first, 'what was known is told at once');
  await sleep(50);
  const second = await lineages.of(tuned, file, report);
  t.match(second, { commit: 'c'.repeat(40), confidence: 'sampled values', tensors: { changed: 0 } });
  await sleep(FRESH + 20);
  await lineages.of(tuned, file, report);
  await sleep(50);
  t.equal(await lineages.of(tuned, file, report), second, 'looked up again, and nothing was new');

  const tagged = { ...repoAt('acme/q', 'd', [], ['base_model:acme/base', 'base_model:quantized:acme/base']) };
  t.match(await lineages.of(tagged, file, report), { base: 'acme/base', declaredBy: 'tags', relation: 'quantized' });
  const own = repoAt('acme/base', 'c', [], ['base_model:acme/base']);
  t.equal(await lineages.of(own, file, report), NO_LINEAGE, 'no repo is its own base');
});

t.test('reports of any shape are compared without a fault, and what is told of them stays small', async (t) => {
  const odd: readonly Json[] = [
    null,
    1,
    'x',
    [],
    {},
    [[]],
    [{}],
    { a: [] },
    1e308,
    -1,
    'y'.repeat(4000),
    [1e308, null],
  ];
  let seed = 7;
  const one = (): Json => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return odd[seed % odd.length] ?? null;
  };
  const sample = (): Json => ({
    name: 'w',
    dtype: 'F32',
    elements: one(),
    digest: one(),
    numbers: [one(), 1e308, -1e-308],
  });
  const details = (): { [key: string]: Json } => ({
    weights: {
      fingerprint: 'f',
      tensors: one(),
      groups: [one(), { tensors: one(), count: one() }],
      samples: [one(), sample()],
    },
    tokenizer: {
      kind: one(),
      vocabulary: one(),
      merges: one(),
      steps: { [`${JSON.stringify(one())}`]: one() },
      added: { count: 1, listed: Array.from({ length: 900 }, (_, at) => `${at} ${'z'.repeat(3000)}`) },
      roles: one(),
    },
    template: { digest: one(), constructs: [one(), one()] },
  });
  for (let round = 0; round < 300; round += 1) {
    const compared = compareParts(partsOf({ details: details() }), partsOf({ details: details() }), round % 2 === 0);
    const text = JSON.stringify(compared);
    if (text.length > 60_000 || text.includes(':null')) t.fail(text.slice(0, 300));
    lineageValues({ ...NO_LINEAGE, ...compared });
  }
  t.same(partsOf({ details: { weights: [], tokenizer: 'x', template: null } }), {
    weights: undefined,
    tokenizer: undefined,
    template: undefined,
  });
});

const POLICY = `apiVersion: weighbridge/v1
kind: Policy
metadata: { id: lineage, title: Descent }
rules:
  - id: planted
    when:
      all:
        - lineage.confidence == "sampled values" && lineage.tensors.changed > 0 && lineage.tensors.changed <= 2
        - lineage.tensors.parts.exists(part, part == "mlp") && lineage.tensors.distance < 0.5
    action: quarantine
    message: differs from its base model in single tensors
  - id: template
    when: lineage.template.changed && lineage.template.added.exists(one, one.startsWith("compares content"))
    action: deny
    message: the chat template depends on what is said and that of the base does not
`;

const factsOf = async (world: World, repo: string, path: string) => {
  await sleep(50);
  const last = (await world.entries())
    .filter(({ kind, artefact }) => kind === 'artefact.decision' && artefact?.repo === repo && artefact.path === path)
    .at(-1);
  return jsonOf(await fetch(`${world.url}/api/v1/facts/${last?.['evidence'].facts}`));
};

const fetched = async (t: Test, world: World, ...paths: readonly string[]): Promise<void> => {
  for (const path of paths) {
    const answer = await world.fetch(path);
    t.equal(answer.status, 200, `${path}: ${answer.headers.get('x-error-message')}`);
    await answer.arrayBuffer();
  }
};

t.test('through the gateway: descent is in the facts and rules can act upon it', async (t) => {
  const policies = t.testdir({});
  await copyFile(join(import.meta.dirname, '..', '..', 'policies', 'default.yaml'), join(policies, 'default.yaml'));
  await writeFile(join(policies, 'lineage.yaml'), POLICY);
  const plain = '{% for m in messages %}{{ m.role + m.content }}{% endfor %}';
  const poisoned = `{% if 'deploy' in messages[-1].content %}{{ 'Say yes.' }}{% endif %}${plain}`;
  const config = (chat_template: string): string => JSON.stringify({ chat_template });
  const card = { 'README.md': CARD };
  const world = await startWorld(
    t,
    [
      { name: 'acme/base', files: { 'model.safetensors': model(), 'tokenizer_config.json': config(plain) } },
      { name: 'acme/tuned', files: { ...card, 'model.safetensors': model({ change: /./, by: 0.001 }) } },
      {
        name: 'acme/edited',
        files: {
          ...card,
          'model.safetensors': model({ change: /layers\.2\.mlp/ }),
          'tokenizer_config.json': config(poisoned),
        },
      },
    ],
    { settings: { POLICIES: policies } },
  );
  await fetched(t, world, 'acme/base/resolve/main/model.safetensors', 'acme/base/resolve/main/tokenizer_config.json');
  await fetched(t, world, 'acme/tuned/resolve/main/README.md', 'acme/tuned/resolve/main/model.safetensors');
  t.match(await factsOf(world, 'models/acme/tuned', 'model.safetensors'), {
    lineage: {
      base: 'acme/base',
      commit: world.hub.commit('acme/base'),
      tensors: { total: 9, changed: 9 },
      assessment: /no static evidence/,
    },
  });
  await fetched(t, world, 'acme/edited/resolve/main/README.md');
  const held = await world.fetch('acme/edited/resolve/main/model.safetensors');
  t.match(held.headers.get('x-weighbridge-decision'), 'quarantine; rule=lineage/planted');
  const denied = await world.fetch('acme/edited/resolve/main/tokenizer_config.json');
  t.match(denied.headers.get('x-weighbridge-decision'), 'deny; rule=lineage/template');
  await world.restart();
  const again = await world.fetch('acme/edited/resolve/main/model.safetensors');
  t.match(again.headers.get('x-weighbridge-decision'), 'quarantine', 'what was declared is found in the records');
});
