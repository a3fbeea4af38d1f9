import t from 'tap';
import { crfModel } from '../support/crfsuite-writer.ts';
import { assemble, named, op, type Piece, pickled, text } from '../support/pickle-assembler.ts';
import { bytes, reportOf, rules, worst } from '../support/reports.ts';
import { samples } from './samples/index.ts';

/** An object of a class, made empty and given its attributes. */
const made = (module: string, name: string, attributes: Readonly<Record<string, Piece>>): Piece => [
  named(module, name),
  op.emptyTuple(),
  op.newobj(),
  op.emptyDict(),
  op.mark(),
  ...Object.entries(attributes).map(([key, value]) => [text(key), value]),
  op.setitems(),
  op.build(),
];
const lightgbm = samples.find(({ format }) => format === 'lightgbm')?.accept ?? {};
const model = Object.values(lightgbm)[0]?.() ?? bytes();
const snapshot = samples.find(({ format }) => format === 'xgboost-ubj')?.accept ?? {};
const boosted = Object.values(snapshot)[0]?.() ?? bytes();
const trees = Object.values(samples.find(({ format }) => format === 'catboost')?.accept ?? {})[0]?.() ?? bytes();
const resource = (more: Readonly<Record<string, Piece>>): Piece =>
  made('sklearn_crfsuite._fileresource', 'FileResource', {
    name: op.none(),
    auto: op.true(),
    keep_tempfiles: op.false(),
    suffix: text('.crfsuite'),
    prefix: text('model'),
    fd: op.binint1(4),
    __FILE_RESOURCE_DATA__: op.binbytes(crfModel()),
    ...more,
  });

t.test('a model that a pickle carries passes when its own format does', async (t) => {
  const honest: Readonly<Record<string, Piece>> = {
    'a booster': made('lightgbm.basic', 'Booster', { handle: op.binunicode(model), network: op.false() }),
    'an estimator around one': made('lightgbm.sklearn', 'LGBMClassifier', {
      _Booster: made('lightgbm.basic', 'Booster', { _handle: op.binunicode(model) }),
    }),
    'a booster that was not trained': made('lightgbm.basic', 'Booster', { handle: op.none() }),
    'a booster of XGBoost': made('xgboost.core', 'Booster', {
      handle: op.bytearray8(boosted),
      best_iteration: op.binint1(1),
    }),
    'the same in a call': made('xgboost.core', 'Booster', {
      handle: [named('builtins', 'bytearray'), op.binbytes(boosted), op.tuple1(), op.reduce()],
    }),
    'a model of CatBoost': made('catboost.core', 'CatBoostClassifier', {
      __model: op.binbytes(trees),
      depth: op.binint1(6),
    }),
    'a tagger': made('sklearn_crfsuite.estimator', 'CRF', { modelfile: resource({}) }),
    'a tagger of protocol 2': resource({
      __FILE_RESOURCE_DATA__: [
        named('_codecs', 'encode'),
        op.binunicode(Buffer.from(crfModel()).toString('latin1')),
        text('latin1'),
        op.tuple2(),
        op.reduce(),
      ],
    }),
    'a tagger without a model': resource({ __FILE_RESOURCE_DATA__: op.none() }),
  };
  for (const [name, piece] of Object.entries(honest)) {
    const report = reportOf(pickled(5, piece));
    t.same([report.content, report.coverage.state, rules(report)], ['library', 'complete', []], name);
  }
});

t.test('embeddings of flair are layers, and what old torch kept beside them is one object of its own', async (t) => {
  const backend = (...args: readonly Piece[]): Piece => [
    named('torch.nn.backends.thnn', '_get_thnn_function_backend'),
    ...args,
    op.reduce(),
  ];
  const stack = (attributes: Readonly<Record<string, Piece>>): Piece =>
    made('flair.embeddings.document', 'DocumentRNNEmbeddings', {
      embeddings: made('flair.embeddings.token', 'StackedEmbeddings', {
        list_embedding_0: made('flair.embeddings.token', 'OneHotEmbeddings', { field: text('text') }),
      }),
      ...attributes,
    });
  const contentOf = (piece: Piece): string => reportOf(assemble(pickled(5, piece))).content;
  t.equal(contentOf(stack({ _backend: backend(op.emptyTuple()) })), 'library');
  t.equal(
    contentOf(stack({ _backend: backend(text('os'), op.tuple1()) })),
    'unknown',
    'a function that is given something',
  );
  t.equal(contentOf(stack({ _backend: [named('os', 'system'), text('id'), op.tuple1(), op.reduce()] })), 'active');
  t.equal(contentOf(made('flair.embeddings.token', 'TransformerWordEmbeddings', {})), 'unknown', 'a class on no list');
});

t.test('what carries it may do nothing else with it', async (t) => {
  const cut = model.subarray(0, model.length - 40);
  const hostile: Readonly<Record<string, Piece>> = {
    'a booster of something else': made('lightgbm.basic', 'Booster', { handle: text('tree'.repeat(100)) }),
    'a booster that is cut': made('lightgbm.basic', 'Booster', { handle: op.binunicode(cut) }),
    'a booster under the other key': made('lightgbm.basic', 'Booster', { handle: op.none(), _handle: text('evil') }),
    'a booster as a number': made('lightgbm.basic', 'Booster', { handle: op.binint(4096) }),
    'a booster with a method': made('lightgbm.basic', 'Booster', { __class__: text('x') }),
    'a booster of XGBoost that is cut': made('xgboost.core', 'Booster', {
      handle: op.bytearray8(boosted.subarray(0, 60)),
    }),
    'a booster of XGBoost as a number': made('xgboost.core', 'Booster', { handle: op.binint(4096) }),
    'a model of CatBoost with something behind it': made('catboost.core', 'CatBoost', {
      __model: op.binbytes(bytes(trees, 'x')),
    }),
    'a file that is removed': resource({ name: text('/etc/passwd') }),
    'a file somewhere else': resource({ prefix: text('/usr/lib/python3/site-packages/x') }),
    'a file that Python reads': resource({ suffix: text('.pth') }),
    'a file of something else': resource({ __FILE_RESOURCE_DATA__: op.binbytes(bytes('import os')) }),
    'a model that is broken': resource({ __FILE_RESOURCE_DATA__: op.binbytes(crfModel({ named: 7 })) }),
    'an attribute of its own': resource({ cleanup: op.none() }),
    'a file of another name by its constructor': [
      named('sklearn_crfsuite._fileresource', 'FileResource'),
      text('/etc/passwd'),
      op.tuple1(),
      op.reduce(),
    ],
    'another state afterwards': [
      resource({}),
      op.emptyDict(),
      text('name'),
      text('/etc/passwd'),
      op.setitem(),
      op.build(),
    ],
  };
  for (const [name, piece] of Object.entries(hostile)) {
    const report = reportOf(assemble(pickled(5, piece)));
    t.ok(['medium', 'high', 'critical'].includes(worst(report)), `${name}: ${rules(report)}`);
    t.ok(['unknown', 'active'].includes(report.content), name);
  }
});
