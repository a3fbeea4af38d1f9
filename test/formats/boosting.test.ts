import t from 'tap';
import { bitFlips, bytes, passes, reportOf, rules, truncations, worst } from '../support/reports.ts';
import { type Ubj, ubjson } from '../support/ubjson-writer.ts';

const TREE = {
  tree_param: { num_nodes: '3', num_feature: '2' },
  left_children: Int32Array.of(1, -1, -1),
  right_children: Int32Array.of(2, -1, -1),
  parents: Int32Array.of(2147483647, 0, 0),
  split_indices: Int32Array.of(1, 0, 0),
  split_conditions: Float32Array.of(0.5, 1, 2),
  default_left: [1, 0, 0],
};
const model = (tree: { readonly [key: string]: Ubj } = {}, learner: { readonly [key: string]: Ubj } = {}): Ubj => ({
  learner: {
    attributes: {},
    learner_model_param: { num_feature: '2' },
    objective: { name: 'binary:logistic' },
    gradient_booster: { name: 'gbtree', model: { trees: [{ ...TREE, ...tree }] } },
    ...learner,
  },
  version: [2, 0, 3],
});
const asJson = (value: Ubj): string =>
  JSON.stringify(value, (_, item) => (item instanceof Int32Array || item instanceof Float32Array ? [...item] : item));

t.test('XGBoost models pass in both encodings', async (t) => {
  const dart = model({}, { gradient_booster: { name: 'dart', gbtree: { model: { trees: [TREE] } } } });
  const linear = model({}, { gradient_booster: { name: 'gblinear', model: { weights: [1, 2] } } });
  for (const whole of [model(), dart, linear]) {
    const binary = reportOf(ubjson(whole));
    t.equal(binary.format, 'xgboost-ubj');
    t.same(binary.findings, []);
    t.ok(passes(binary));
    const text = reportOf(asJson(whole));
    t.ok(passes(text), JSON.stringify(text.findings));
  }
});

t.test('trees that lead nowhere or round are held, in both encodings', async (t) => {
  const wrong: Readonly<Record<string, Ubj>> = {
    'a child beyond the nodes': model({ left_children: Int32Array.of(9, -1, -1) }),
    'a child that is negative': model({ left_children: Int32Array.of(-7, -1, -1) }),
    'a child that is the root': model({ left_children: Int32Array.of(0, -1, -1) }),
    'a path that goes round': model({
      left_children: Int32Array.of(1, 1, -1),
      right_children: Int32Array.of(2, 2, -1),
    }),
    'another number of nodes': model({ tree_param: { num_nodes: '1000000000' } }),
    'fewer conditions than nodes': model({ split_conditions: Float32Array.of(1) }),
    'a feature beyond the features': model({ split_indices: Int32Array.of(70000, 0, 0) }),
    'an objective that is none': model({}, { objective: { name: '__import__' } }),
    'a booster that is none': model({}, { gradient_booster: { name: 'evil', model: {} } }),
  };
  for (const [name, whole] of Object.entries(wrong))
    for (const content of [ubjson(whole), asJson(whole)]) {
      const report = reportOf(content);
      t.notOk(passes(report), name);
      t.equal(worst(report), 'medium', name);
    }
});

t.test('UBJSON that is not well-formed is refused', async (t) => {
  const start = '{L\0\0\0\0\0\0\0\x07learner';
  const wrong = {
    'a count beyond the file': bytes(start, '[$l#L', [0x7f, 255, 255, 255, 255, 255, 255, 255]),
    'a negative count': bytes(start, '[#i', [0xff]),
    'too deep': bytes(start, '['.repeat(1000)),
    'a mark that is none': bytes(start, '?'),
    'bytes behind': bytes(ubjson(model()), '}'),
    'no learner': bytes(start, 'Z}'),
    'a key twice': bytes(start, 'Z', ubjson(model()).subarray(1)),
  };
  for (const [name, content] of Object.entries(wrong)) {
    const report = reportOf(content);
    t.equal(report.format, 'xgboost-ubj', name);
    t.notOk(passes(report), name);
  }
});

const BLOCK =
  'Tree=0\nnum_leaves=3\nnum_cat=0\nsplit_feature=1 0\nleft_child=1 -1\nright_child=-3 -2\nthreshold=0.5 1\nleaf_value=1 2 3\n\n\n';
const header = (more: string): string =>
  `tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=1\nobjective=regression\n` +
  `feature_names=a b\nfeature_infos=[0:1] [0:1]\n${more}\n`;
const two = `${header(`tree_sizes=${BLOCK.length} ${BLOCK.length}\n`)}${BLOCK}${BLOCK.replace('Tree=0', 'Tree=1')}`;

t.test('LightGBM models pass', async (t) => {
  for (const content of [two, `${two}end of trees\n\nparameters:\n[boosting: gbdt]\nend of parameters\n`]) {
    const report = reportOf(content);
    t.match(report, { format: 'lightgbm', details: { trees: 2, features: 2 } });
    t.ok(passes(report), JSON.stringify(report.findings));
  }
});

t.test('LightGBM counts and indices that lie are refused', async (t) => {
  const wrong = {
    'more features than names': two.replace('max_feature_idx=1', 'max_feature_idx=2147483647'),
    'giant leaves': two.replace('num_leaves=3', 'num_leaves=2147483647'),
    'more leaves than values': two.replace('num_leaves=3', 'num_leaves=7'),
    'no leaves': two.replace('num_leaves=3', 'num_leaves=0'),
    'a negative count': two.replace('num_class=1', 'num_class=-1'),
    'a size that leads elsewhere': two.replace(`tree_sizes=${BLOCK.length} `, 'tree_sizes=999999999 '),
    'sizes for other trees': two.replace('tree_sizes=', 'tree_sizes=1 '),
    'a feature that does not exist': two.replace('split_feature=1', 'split_feature=9'),
    'a child that does not exist': two.replace('left_child=1', 'left_child=5'),
    'a leaf that does not exist': two.replace('right_child=-3', 'right_child=-9'),
    'a split that leads back': two.replace('left_child=1 -1', 'left_child=1 0'),
    'no header': 'tree\nversion=v4\n',
  };
  for (const [name, content] of Object.entries(wrong)) {
    const report = reportOf(content);
    t.equal(report.format, 'lightgbm', name);
    t.notOk(passes(report), name);
    t.ok(
      rules(report).some((rule) => ['lightgbm.malformed', 'lightgbm.limit'].includes(rule)),
      name,
    );
  }
});

t.test('cut and turned models end in a report', async (t) => {
  const binary = ubjson(model());
  for (const part of truncations(binary)) if (part.length > 20) t.notOk(passes(reportOf(part)), `${part.length} bytes`);
  for (const part of truncations(bytes(two))) t.ok(reportOf(part).coverage.bytesTotal === part.length);
  for (const whole of [binary, bytes(two)])
    for (const turned of bitFlips(whole, 300, 17)) t.equal(reportOf(turned).coverage.bytesTotal, whole.length);
});
