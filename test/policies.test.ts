import { readFileSync } from 'node:fs';
import t from 'tap';
import { NO_TENSORS, NO_TOKENIZER } from '../src/policy/lineage.ts';
import { loadPolicies } from '../src/policy/load.ts';
import type { Action, Facts } from '../src/policy/types.ts';
import { factsWith, findingOf } from './support/policy-facts.ts';

const shipped = (name: string): ReturnType<typeof loadPolicies> =>
  loadPolicies({ [name]: readFileSync(new URL(`../policies/${name}`, import.meta.url), 'utf8') });

const sets = [shipped('default.yaml'), shipped('strict.yaml'), shipped('research.yaml')];

/** What each shipped set does: default, strict, research. */
type Case = { readonly what: string; readonly facts: Facts; readonly expected: readonly [Action, Action, Action] };

const content = (path: string, format: string, kind: string, change: Parameters<typeof factsWith>[0] = {}): Facts =>
  factsWith({ ...change, artefact: { path, format, content: kind } });
const found = (...severities: Parameters<typeof findingOf>[0][]): Facts['findings'] =>
  severities.map((severity) => findingOf(severity));

/** Bytes of tensors beside their index. */
const bare = (change: Parameters<typeof factsWith>[0] = {}): Facts =>
  content('variables/variables.data-00000-of-00001', 'unknown', 'unknown', {
    ...change,
    coverage: { state: 'opaque', bytesInspected: 0, reason: 'no registered format recognises the content' },
    explainedBy: { path: 'variables/variables.index', sha256: 'b'.repeat(64), format: 'tf-checkpoint-index' },
  });

const cases: readonly Case[] = [
  {
    what: 'safetensors',
    facts: content('model.safetensors', 'safetensors', 'inert'),
    expected: ['allow', 'allow', 'allow'],
  },
  {
    what: 'inert data with an info finding',
    facts: content('model.gguf', 'gguf', 'inert', { findings: found('info') }),
    expected: ['allow', 'allow', 'allow'],
  },
  {
    what: 'inert data with a low finding',
    facts: content('model.gguf', 'gguf', 'inert', { findings: found('low') }),
    expected: ['allow', 'quarantine', 'allow'],
  },
  {
    what: 'inert data with a medium finding',
    facts: content('model.gguf', 'gguf', 'inert', { findings: found('medium') }),
    expected: ['quarantine', 'quarantine', 'allow'],
  },
  {
    what: 'inert data with a high finding',
    facts: content('model.safetensors', 'safetensors', 'inert', { findings: found('high') }),
    expected: ['deny', 'deny', 'deny'],
  },
  {
    what: 'a dataset with flagged rows that could be left out',
    facts: content('train.jsonl', 'jsonl', 'inert', {
      findings: [findingOf('medium', 'text.injection')],
      dataset: { rows: 1000, flagged: 3, rules: [{ rule: 'text.injection', rows: 3 }], droppable: true },
    }),
    expected: ['quarantine', 'quarantine', 'allow'],
  },
  {
    what: 'inert data, inspected in part',
    facts: content('train.parquet', 'parquet', 'inert', { coverage: { state: 'partial' } }),
    expected: ['quarantine', 'quarantine', 'allow'],
  },
  {
    what: 'weights that have nothing of the base model that they declare',
    facts: content('model.safetensors', 'safetensors', 'inert', {
      lineage: {
        base: 'acme/base',
        tensors: { ...NO_TENSORS, compared: true, sampled: 32, changed: 32, distance: 1.4 },
      },
    }),
    expected: ['allow', 'quarantine', 'allow'],
  },
  {
    what: 'weights trained on from the base model that they declare',
    facts: content('model.safetensors', 'safetensors', 'inert', {
      lineage: {
        base: 'acme/base',
        tensors: { ...NO_TENSORS, compared: true, sampled: 32, changed: 32, distance: 0.01 },
      },
    }),
    expected: ['allow', 'allow', 'allow'],
  },
  {
    what: 'a tokenizer whose words have other numbers than those of the declared base model',
    facts: content('tokenizer.json', 'json', 'inert', {
      lineage: { base: 'acme/base', tokenizer: { ...NO_TOKENIZER, compared: true, changed: ['remapped'] } },
    }),
    expected: ['allow', 'allow', 'allow'],
  },
  {
    what: 'a chat template that is not that of the declared base model',
    facts: content('tokenizer_config.json', 'json', 'inert', {
      lineage: { base: 'acme/base', template: { compared: true, changed: true, added: [], removed: [] } },
    }),
    expected: ['allow', 'allow', 'allow'],
  },
  {
    what: 'a checkpoint of tensors with a plan',
    facts: content('pytorch_model.bin', 'torch-zip', 'tensors', { convertible: true }),
    expected: ['convert', 'convert', 'convert'],
  },
  {
    what: 'a checkpoint of tensors that cannot be converted',
    facts: content('pytorch_model.bin', 'torch-zip', 'tensors'),
    expected: ['allow', 'quarantine', 'allow'],
  },
  {
    what: 'optimizer state',
    facts: content('checkpoint-5/optimizer.pt', 'torch-zip', 'tensors', { convertible: true }),
    expected: ['allow', 'quarantine', 'allow'],
  },
  {
    what: 'a file whose name only resembles trainer state',
    facts: content('my_optimizer.pt', 'torch-zip', 'tensors', { convertible: true }),
    expected: ['convert', 'convert', 'convert'],
  },
  {
    what: 'a checkpoint of tensors with a high finding',
    facts: content('pytorch_model.bin', 'torch-zip', 'tensors', { convertible: true, findings: found('high') }),
    expected: ['deny', 'deny', 'deny'],
  },
  {
    what: 'a checkpoint of tensors with a medium finding',
    facts: content('pytorch_model.bin', 'torch-zip', 'tensors', { convertible: true, findings: found('medium') }),
    expected: ['quarantine', 'quarantine', 'convert'],
  },
  {
    what: 'a checkpoint of tensors, inspected in part',
    facts: content('pytorch_model.bin', 'torch-zip', 'tensors', { convertible: true, coverage: { state: 'partial' } }),
    expected: ['quarantine', 'quarantine', 'quarantine'],
  },
  {
    what: 'a pickle of plain data',
    facts: content('meta.pkl', 'pickle', 'data'),
    expected: ['allow', 'quarantine', 'allow'],
  },
  {
    what: 'training arguments',
    facts: content('training_args.bin', 'torch-zip', 'trainer'),
    expected: ['allow', 'quarantine', 'allow'],
  },
  {
    what: 'an estimator of a known library',
    facts: content('model.joblib', 'joblib', 'library'),
    expected: ['allow', 'quarantine', 'allow'],
  },
  {
    what: 'a pickle with a name on no list',
    facts: content('model.pkl', 'pickle', 'unknown'),
    expected: ['quarantine', 'quarantine', 'quarantine'],
  },
  {
    what: 'a pickle that would run something',
    facts: content('model.pkl', 'pickle', 'active', { findings: found('critical') }),
    expected: ['deny', 'deny', 'deny'],
  },
  {
    what: 'active content without a finding',
    facts: content('model.safetensors', 'pickle', 'active'),
    expected: ['deny', 'deny', 'deny'],
  },
  {
    what: 'an unknown format',
    facts: content('weights.xyz', 'unknown', 'unknown', { coverage: { state: 'opaque' } }),
    expected: ['quarantine', 'quarantine', 'quarantine'],
  },
  {
    what: 'bytes that nothing recognises and an index lays out',
    facts: bare(),
    expected: ['allow', 'allow', 'allow'],
  },
  {
    what: 'such bytes on the list of known-bad digests',
    facts: bare({ findings: [findingOf('critical', 'known-bad.digest')] }),
    expected: ['deny', 'deny', 'deny'],
  },
  {
    what: 'a file without a report',
    facts: content('weights.xyz', '', '', { coverage: { state: 'opaque' } }),
    expected: ['quarantine', 'quarantine', 'quarantine'],
  },
  {
    what: 'Python without a finding',
    facts: content('modeling_x.py', 'python', 'code', { findings: found('low') }),
    expected: ['allow', 'quarantine', 'allow'],
  },
  {
    what: 'Python with a medium finding',
    facts: content('modeling_x.py', 'python', 'code', { findings: found('medium') }),
    expected: ['quarantine', 'quarantine', 'allow'],
  },
  {
    what: 'Python with a high finding',
    facts: content('modeling_x.py', 'python', 'code', { findings: found('high') }),
    expected: ['deny', 'deny', 'allow'],
  },
  {
    what: 'Python with a critical finding',
    facts: content('modeling_x.py', 'python', 'code', { findings: found('critical') }),
    expected: ['deny', 'deny', 'deny'],
  },
  {
    what: 'a configuration that names custom code',
    facts: content('config.json', 'config', 'inert', { findings: [findingOf('medium', 'config.auto-map')] }),
    expected: ['allow', 'quarantine', 'allow'],
  },
  {
    what: 'an empty file that is called weights',
    facts: content('MODEL.PKL', 'empty', 'inert'),
    expected: ['deny', 'deny', 'deny'],
  },
  {
    what: 'an empty file that may be empty',
    facts: content('src/__init__.py', 'empty', 'inert'),
    expected: ['allow', 'allow', 'allow'],
  },
  {
    what: 'a Git LFS pointer in the place of weights',
    facts: content('model.safetensors', 'pointer', 'inert', { findings: [findingOf('medium', 'pointer.saved')] }),
    expected: ['deny', 'deny', 'deny'],
  },
  {
    what: '60 GB at the request',
    facts: factsWith({
      stage: 'request',
      artefact: { size: 60e9, format: '', content: '', sha256: '' },
      coverage: { state: 'opaque' },
    }),
    expected: ['deny', 'deny', 'deny'],
  },
  {
    what: '50 GB at the request',
    facts: factsWith({
      stage: 'request',
      artefact: { size: 50e9, format: '', content: '', sha256: '' },
      coverage: { state: 'opaque' },
    }),
    expected: ['allow', 'allow', 'allow'],
  },
];

t.test('each shipped set decides the table of cases', async (t) => {
  for (const { what, facts, expected } of cases) {
    const actions = sets.map((set) => set.decide(facts, 0).action);
    t.same(actions, expected, `${what}: default, strict, research`);
  }
});

t.test('every rule of every shipped set decides one of the cases, and none names a missing one', async (t) => {
  for (const set of sets) {
    t.same(set.problems, []);
    const matched = new Set(
      cases.flatMap(({ facts }) => set.explain(facts, 0).filter((rule) => rule.matched)).map((rule) => rule.rule),
    );
    const all = new Set(cases.flatMap(({ facts }) => set.explain(facts, 0)).map((rule) => rule.rule));
    t.ok(all.size > 5);
    t.same(
      [...all].filter((rule) => !matched.has(rule)),
      [],
      `untested rules of ${Object.keys(set.files).join()}`,
    );
  }
});

t.test('a researcher is told where words are handled otherwise than by the declared base model', async (t) => {
  const tokenizer = { ...NO_TOKENIZER, compared: true, changed: ['remapped'] };
  const template = { compared: true, changed: true, added: [], removed: [] };
  const notice = (lineage: Partial<Facts['lineage']>): string =>
    sets[2]?.decide(content('tokenizer.json', 'json', 'inert', { lineage }), 0).obligations.notice ?? '';
  t.match(notice({ tokenizer }), /tokenizer maps text otherwise/);
  t.match(notice({ template }), /chat template is not that/);
  t.equal(notice({ tokenizer: { ...tokenizer, changed: ['added_tokens'] } }), '');
});

t.test('what is served from a known-safe pickle carries a notice, converted files do not', async (t) => {
  const [standard] = sets;
  t.match(standard?.decide(content('meta.pkl', 'pickle', 'data'), 0).obligations, { notice: /pickle/ });
  const converted = content('pytorch_model.bin', 'torch-zip', 'tensors', { convertible: true });
  t.same(standard?.decide(converted, 0).obligations, {});
});

t.test('bytes that an index explains are released when they were judged, never before', async (t) => {
  for (const set of sets) t.match(set.decide(bare(), 0), { rule: /\/explained$/, obligations: { release: 'hold' } });
});

t.test('a refusal of a shipped set says what was found and where, or what could not be read', async (t) => {
  const [standard] = sets;
  const reason = (facts: Facts): string => standard?.decide(facts, 0).reason ?? '';
  t.match(
    reason(content('model.pkl', 'pickle', 'active', { findings: found('info', 'critical') })),
    /^model\.pkl: .*imports os\.system, archive\/data\.pkl byte 34 \(rule default\/dangerous\)/,
  );
  t.match(
    reason(content('model.pkl', 'pickle', 'unknown', { findings: found('low') })),
    /not known to be safe: imports os\.system, archive\/data\.pkl byte 34 \(rule default\/unknown\)/,
  );
  t.match(
    reason(
      content('a.parquet', 'parquet', 'inert', { coverage: { state: 'partial', reason: 'limit steps of 5 reached' } }),
    ),
    /could not be inspected completely: limit steps of 5 reached \(rule default\/not-inspected\)/,
  );
});
