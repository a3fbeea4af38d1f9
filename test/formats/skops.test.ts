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

t.test('types, functions and node types on no list do not pass', async (t) => {
  const wrong: Readonly<Record<string, readonly [string, unknown]>> = {
    'a process': ['skops.dangerous-type', model(node('ObjectNode', 'subprocess', 'Popen'))],
    'an unknown class': ['skops.untrusted-type', model(node('ObjectNode', 'mine', 'Model'))],
    'a plain name elsewhere': ['skops.untrusted-type', model(node('ObjectNode', 'mine', 'dict'))],
    'a method': ['skops.calling-node', model(node('MethodNode', 'builtins', 'str', { content: { func: 'format' } }))],
    'an operator': ['skops.calling-node', model(node('OperatorFuncNode', 'operator', 'attrgetter'))],
    'a tree': ['skops.calling-node', model(node('TreeNode', 'sklearn.tree._tree', 'Tree'))],
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
