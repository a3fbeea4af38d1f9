import t from 'tap';
import { bitFlips, passes, reportOf, rules, truncations, worst } from '../support/reports.ts';
import { writeZip } from '../support/zip-writer.ts';

type Node = { readonly [key: string]: unknown };
const node = (loader: string, module: string, name: string, more: Node = {}): Node => ({
  __loader__: loader,
  __module__: module,
  __class__: name,
  __id__: 1,
  ...more,
});
const text = (value: string): Node => node('JsonNode', 'builtins', 'str', { content: JSON.stringify(value) });
const model = (...attributes: Node[]): Node =>
  node('ObjectNode', 'sklearn.linear_model._logistic', 'LogisticRegression', {
    content: node('DictNode', 'builtins', 'dict', {
      key_types: node('ListNode', 'builtins', 'list', { content: [] }),
      content: Object.fromEntries(attributes.map((attribute, index) => [`a${index}`, attribute])),
    }),
  });
const file = (schema: unknown): Uint8Array =>
  writeZip([
    { name: '1.npy', data: Buffer.from(NPY, 'latin1') },
    { name: 'schema.json', data: typeof schema === 'string' ? schema : JSON.stringify(schema), method: 'deflated' },
  ]);
const NPY = `\x93NUMPY\x01\0\x46\0${"{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }".padEnd(69)}\n\0\0\0\0\0\0\0\0`;
const array = (name = '1.npy'): Node => node('NdArrayNode', 'numpy', 'ndarray', { type: 'numpy', file: name });

t.test('estimators of known classes pass', async (t) => {
  const report = reportOf(file({ ...model(text('l2'), array()), protocol: 2, _skops_version: '0.13' }));
  t.match(report, { format: 'skops', content: 'library', coverage: { state: 'complete' } });
  t.same(report.findings, []);
  t.ok(passes(reportOf(file(array()))), 'an array alone');
});

const treeNodes = (left: number, feature: number): Buffer => {
  const descr = "[('left_child', '<i8'), ('right_child', '<i8'), ('feature', '<i8')]";
  const header = `{'descr': ${descr}, 'fortran_order': False, 'shape': (3,), }`.padEnd(181);
  const rows = [left, 2, feature, -1, -1, -2, -1, -1, -2].map((value) => {
    const out = Buffer.alloc(8);
    out.writeBigInt64LE(BigInt(value));
    return out;
  });
  return Buffer.concat([Buffer.from(`\x93NUMPY\x01\0\xb6\0${header}\n`, 'latin1'), ...rows]);
};
const VALUES = `\x93NUMPY\x01\0\x46\0${"{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }".padEnd(69)}\n${'\0'.repeat(24)}`;
const count = (value: number): Node => node('JsonNode', 'builtins', 'str', { content: String(value), is_json: true });
const tree = (left = 1, feature = 0): Uint8Array =>
  writeZip([
    { name: '1.npy', data: treeNodes(left, feature) },
    { name: '2.npy', data: Buffer.from(VALUES, 'latin1') },
    {
      name: 'schema.json',
      data: JSON.stringify(
        node('TreeNode', 'sklearn.tree._tree', 'Tree', {
          __reduce__: {
            args: node('TupleNode', 'builtins', 'tuple', { content: [count(2), array('2.npy'), count(1)] }),
          },
          content: node('DictNode', 'builtins', 'dict', {
            content: { node_count: count(3), nodes: array('1.npy'), values: array('2.npy') },
          }),
        }),
      ),
    },
  ]);

t.test('trees pass when every index leads on, and only then', async (t) => {
  const report = reportOf(tree());
  t.match(report, { format: 'skops', content: 'library', coverage: { state: 'complete' } });
  t.same(report.findings, []);
  for (const [left, feature] of [
    [70_000, 0],
    [0, 0],
    [1, 9],
    [-5, 0],
  ])
    t.same(rules(reportOf(tree(left, feature))), ['skops.tree'], `${left} ${feature}`);
});

t.test('types, functions and node types on no list do not pass', async (t) => {
  const wrong: Readonly<Record<string, readonly [string, unknown]>> = {
    'a process': ['skops.dangerous-type', model(node('ObjectNode', 'subprocess', 'Popen'))],
    'an unknown class': ['skops.untrusted-type', model(node('ObjectNode', 'mine', 'Model'))],
    'a plain name elsewhere': ['skops.untrusted-type', model(node('ObjectNode', 'mine', 'dict'))],
    'a method': ['skops.calling-node', model(node('MethodNode', 'builtins', 'str', { content: { func: 'format' } }))],
    'an operator': ['skops.calling-node', model(node('OperatorFuncNode', 'operator', 'attrgetter'))],
    'a tree without nodes': ['skops.tree', model(node('TreeNode', 'sklearn.tree._tree', 'Tree'))],
    'a node type that is none': ['skops.loader-unknown', model(node('EvilNode', 'builtins', 'dict'))],
    'a function of the system': [
      'skops.dangerous-type',
      model(node('FunctionNode', 'builtins', 'function', { content: { module_path: 'os', function: 'system' } })),
    ],
    'an unknown function': [
      'skops.untrusted-function',
      model(node('FunctionNode', 'builtins', 'function', { content: { module_path: 'mine', function: 'f' } })),
    ],
    'a file that is no member': ['skops.file-missing', model(array('2.npy'))],
    'a key twice': ['skops.malformed', '{"a": 1, "a": 2}'],
    'no document': ['skops.malformed', '{'],
  };
  for (const [name, [rule, schema]] of Object.entries(wrong)) {
    const report = reportOf(file(schema));
    t.ok(rules(report).includes(rule), `${name}: ${rules(report)}`);
    t.ok(['medium', 'high'].includes(worst(report)), name);
    t.notOk(passes(report), name);
  }
});

t.test('cut and turned files end in a report', async (t) => {
  const whole = file(model(text('l2')));
  for (const part of truncations(whole)) t.ok(reportOf(part).coverage.state !== 'complete' || part.length < 4);
  for (const turned of bitFlips(whole, 200, 29)) t.equal(reportOf(turned).coverage.bytesTotal, whole.length);
});
