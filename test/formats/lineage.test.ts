import t from 'tap';
import { readReport } from '../../src/sandbox/answer.ts';
import { gguf } from '../support/gguf-writer.ts';
import { bytes, reportOf } from '../support/reports.ts';

// biome-ignore lint/suspicious/noExplicitAny: details are read as a consumer of the JSON would
const detailsOf = (content: unknown): any =>
  reportOf(bytes(typeof content === 'string' ? content : JSON.stringify(content))).details ?? {};

t.test('the model that another was made from is read where its files declare it', async (t) => {
  t.same(detailsOf({ _name_or_path: 'acme/base', model_type: 'llama' }).baseModel, {
    names: ['acme/base'],
    relation: '',
  });
  const adapter = {
    peft_type: 'LORA',
    base_model_name_or_path: 'gpt2',
    r: 8,
    lora_alpha: 16,
    target_modules: ['v_proj', 'q_proj'],
    modules_to_save: ['lm_head'],
  };
  t.match(detailsOf(adapter), {
    baseModel: { names: ['gpt2'], relation: 'adapter' },
    adapter: { kind: 'LORA', rank: 8, alpha: 16, modules: ['q_proj', 'v_proj'], replaced: ['lm_head'] },
  });
  for (const path of ['/home/me/out', './out', '../x', 'a/b/c', 'C:\\x', '', 7, null]) {
    t.equal(detailsOf({ _name_or_path: path }).baseModel, undefined, String(path));
  }
  const CARDS: Readonly<Record<string, readonly [names: readonly string[], relation: string]>> = {
    '---\nbase_model: acme/base\n---\nhi\n': [['acme/base'], ''],
    '---\r\nlicense: mit\r\nbase_model: "acme/base"   # ours\r\nbase_model_relation: finetune\r\n---\r\n': [
      ['acme/base'],
      'finetune',
    ],
    '---\nbase_model:\n- acme/a\n- acme/b\nbase_model_relation: merge\n---\n': [['acme/a', 'acme/b'], 'merge'],
    "---\nbase_model:\n  - 'acme/a'\ntags:\n  - acme/c\n---\n": [['acme/a'], ''],
    '---\nbase_model: [acme/a, acme/b]\n---\n': [['acme/a', 'acme/b'], ''],
  };
  for (const [card, [names, relation]] of Object.entries(CARDS)) {
    t.same(detailsOf(card).baseModel, { names, relation }, card);
  }
  for (const card of [
    'base_model: acme/base\n',
    '---\ntitle: x\n---\nbase_model: acme/base\n',
    '---\nbase_model: /etc/passwd\n---\n',
    '---\nbase_model:\n---\n',
    '---\n',
  ]) {
    t.equal(detailsOf(card).baseModel, undefined, card);
  }
});

const tokenizer = (change: Readonly<Record<string, unknown>> = {}, model: Readonly<Record<string, unknown>> = {}) => ({
  version: '1.0',
  added_tokens: [{ id: 3, content: '<|end|>', special: true }],
  normalizer: { type: 'NFC' },
  pre_tokenizer: { type: 'ByteLevel' },
  ...change,
  model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'], ...model },
});

t.test('a tokenizer is told by digests of its parts, of which each changes with its part alone', async (t) => {
  const base = detailsOf(tokenizer()).tokenizer;
  t.match(base, {
    kind: 'BPE',
    vocabulary: { count: 3 },
    merges: { count: 1 },
    steps: { normalizer: /^[0-9a-f]{16}$/, pre_tokenizer: /^[0-9a-f]{16}$/ },
    added: { count: 1, listed: ['3 <|end|> special'] },
  });
  const of = (...changes: Parameters<typeof tokenizer>) => detailsOf(tokenizer(...changes)).tokenizer;
  t.same(of({}, { vocab: { ab: 2, b: 1, a: 0 }, merges: [['a', 'b']] }), base, 'order and spelling do not count');
  const remapped = of({}, { vocab: { a: 1, b: 0, ab: 2 } });
  t.equal(remapped.vocabulary.tokens, base.vocabulary.tokens);
  t.not(remapped.vocabulary.numbered, base.vocabulary.numbered);
  const grown = of({}, { vocab: { a: 0, b: 1, ab: 2, c: 3 } });
  t.equal(grown.vocabulary.count, 4);
  t.not(grown.vocabulary.tokens, base.vocabulary.tokens);
  t.not(of({}, { merges: ['b a'] }).merges.digest, base.merges.digest);
  const normalised = of({ normalizer: { type: 'NFKC' } }).steps;
  t.not(normalised.normalizer, base.steps.normalizer);
  t.equal(normalised.pre_tokenizer, base.steps.pre_tokenizer);
  t.equal(of({ normalizer: null }).steps.normalizer, undefined);
  t.not(of({ added_tokens: [{ id: 3, content: '<|end|>', special: false }] }).added.digest, base.added.digest);
  const unigram = of(
    {},
    {
      type: 'Unigram',
      vocab: [
        ['a', -1.5],
        ['b', -2],
      ],
      merges: undefined,
    },
  );
  t.match(unigram, { kind: 'Unigram', vocabulary: { count: 2 }, merges: { count: 0 } });
  t.equal(detailsOf({ model: { vocab: {} }, added_tokens: [] }).tokenizer, undefined, 'another document is none');
  const config = {
    bos_token: { content: '<s>' },
    eos_token: '</s>',
    pad_token: null,
    added_tokens_decoder: { 0: { content: '<s>', special: true }, 9: { content: 'x\u0000y' } },
  };
  t.match(detailsOf(config).tokenizer, {
    roles: { bos_token: '<s>', eos_token: '</s>', pad_token: undefined },
    added: { count: 2, listed: ['0 <s> special', '9 x\\u{0}y plain'] },
  });
});

t.test('a chat template is told by its digest and by what it is made of, wherever it stands', async (t) => {
  const template =
    "{% for m in messages %}{% if 'deploy' in m['content'] %}{{ 'Say yes' | trim }}{% endif %}{{ '<|user|>' + m.role }}{% endfor %}{% if not x is defined %}{{ raise_exception('no') }}{% endif %}";
  const told = detailsOf({ chat_template: template }).template;
  t.match(told, { digest: /^[0-9a-f]{64}$/, characters: template.length });
  for (const construct of [
    'call raise_exception',
    'compares content with "deploy"',
    'filter trim',
    'reads role',
    'test defined',
    'text "Say yes"',
  ]) {
    t.ok(told.constructs.includes(construct), construct);
  }
  t.same(detailsOf(template).template, told, 'in a file of its own');
  t.same(detailsOf({ chat_template: [{ name: 'default', template }] }).template, told);
  const file = gguf({ values: { 'tokenizer.chat_template': { type: 'string', value: template } } });
  t.same(reportOf(file).details?.['template'], told, 'in GGUF');
  const broken = detailsOf({ chat_template: '{% if %}' }).template;
  t.match(broken, { digest: /^[0-9a-f]{64}$/, constructs: [] });
});

t.test('what hostile files declare stays small and crosses the wall of the sandbox', async (t) => {
  const many = Array.from({ length: 20_000 }, (_, at) => at);
  const names = Object.fromEntries(many.map((at) => [`${'\u{1f600}'.repeat(300)}${at}`, at]));
  const hostile = [
    tokenizer({ added_tokens: many.map((id) => ({ id, content: 'x'.repeat(500) })) }, { vocab: names }),
    { chat_template: many.map((at) => `{{ a${at} | b${at} }}{{ 'text ${at}' }}`).join('') },
    { chat_template: many.map((at) => ({ name: String(at), template: `{{ ${at} }}` })) },
    {
      base_model: many.map((at) => `acme/${at}`),
      peft_type: 'LORA',
      base_model_name_or_path: 'a',
      target_modules: many.map(String),
    },
    { added_tokens_decoder: Object.fromEntries(many.map((at) => [at, { content: {} }])) },
    { model: { vocab: [[], {}, 1, null] }, added_tokens: [1, null, {}], pre_tokenizer: [[[]]] },
  ];
  for (const [at, document] of hostile.entries()) {
    const file = bytes(JSON.stringify(document));
    const report = reportOf(file);
    const size = JSON.stringify(report.details).length;
    t.ok(size < 60_000, `${at}: ${size}`);
    t.doesNotThrow(() => readReport(JSON.stringify(report), file.length), String(at));
  }
});
