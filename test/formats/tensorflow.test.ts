import t from 'tap';
import { message, type Value } from '../support/protobuf-writer.ts';
import { bitFlips, bytes, passes, reportOf, rules, truncations, worst } from '../support/reports.ts';

type Field = readonly [number, Value];

const node = (name: string, op: string, inputs: readonly string[] = [], ...more: readonly Field[]): Field => [
  1,
  message([1, name], [2, op], ...inputs.map((input) => [3, input] as const), ...more),
];
const text = (name: string, value: string): Field => {
  const tensor = message([1, 7], [2, message()], [8, value]);
  return node(name, 'Const', [], [5, message([1, 'value'], [2, message([8, tensor])])]);
};
const attribute = (key: string, value: string): Field => [5, message([1, key], [2, message([2, value])])];
/** A function of one argument; its nodes have another field number than those of a graph. */
const fn = (name: string, argument: string, ...nodes: readonly Field[]): Uint8Array =>
  message([1, message([1, name], [2, message([1, argument], [3, 7])])], ...nodes.map(([, body]) => [3, body] as const));
const library = (...functions: readonly Uint8Array[]): Field => [
  2,
  message(...functions.map((one) => [1, one] as const)),
];
const graph = (...fields: readonly Field[]): Uint8Array => message(...fields);
const saved = (inside: Uint8Array, ...more: readonly Field[]): Uint8Array =>
  message([1, 1], [2, message([1, message([4, 'serve'], [5, '2.15.0'])], [2, inside], ...more)]);
const asset = (tensor: string, filename: string): Field => [6, message([1, message([1, tensor])], [2, filename])];

const placeholder = node('saver_filename', 'Placeholder');
const part = text('part', '_temp/part');
const sharded = node('sharded', 'ShardedFilename', ['joined', 'shard', 'shards']);
const joined = node('joined', 'StringJoin', ['saver_filename', 'part']);
const saver = [placeholder, part, joined, sharded] as const;

t.test('graphs of inert operators pass, with functions, variables and tables', async (t) => {
  const calls = graph(
    node('x', 'Placeholder'),
    node('y', 'twice', ['x']),
    node('t', 'HashTableV2'),
    node('i', 'LookupTableImportV2', ['t']),
    node('v', 'VarHandleOp'),
    node('r', 'ReadVariableOp', ['v']),
    node('o', 'OptionalFromValue', ['r']),
    node('n', 'OptionalNone'),
    node('h', 'OptionalHasValue', ['o']),
    node('g', 'OptionalGetValue', ['o']),
    library(fn('twice', 'a', node('two', 'AddV2', ['a', 'a']))),
  );
  for (const [name, file, format] of [
    ['SavedModel', saved(calls), 'tf-savedmodel'],
    ['meta graph', message([2, calls]), 'tf-metagraph'],
    ['graph', calls, 'tf-graphdef'],
    ['names that look evil', saved(graph(node('PyFunc', 'Relu', ['ReadFile/x']))), 'tf-savedmodel'],
    [
      'a checkpoint that the caller names',
      saved(graph(...saver, node('save', 'SaveV2', ['sharded', 'part']))),
      'tf-savedmodel',
    ],
    [
      'a checkpoint that a function names',
      saved(graph(node('x', 'NoOp'), library(fn('restore', 'prefix', node('r', 'RestoreV2', ['prefix']))))),
      'tf-savedmodel',
    ],
    [
      'a vocabulary among the assets',
      saved(
        graph(text('path', '/build/vocabulary.txt'), node('t', 'InitializeTableFromTextFileV2', ['table', 'path'])),
        asset('path:0', 'vocabulary.txt'),
      ),
      'tf-savedmodel',
    ],
    [
      'the saver of TensorFlow 1',
      saved(graph(text('save/Const', 'model'), node('r', 'RestoreV2', ['save/Const'])), [
        3,
        message([1, 'save/Const:0']),
      ]),
      'tf-savedmodel',
    ],
  ] as const) {
    const report = reportOf(file);
    t.match(report, { format, content: 'inert', coverage: { state: 'complete' }, findings: [] }, name);
    t.ok(passes(report), name);
  }
});

t.test('operators that act outside the graph are findings, in graphs and in functions', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ...'ReadFile WriteFile PyFunc PyFuncStateless EagerPyFunc MatchingFiles ImmutableConst SaveSlices Save Restore WholeFileReaderV2'
      .split(' ')
      .map((op) => [op, 'high'] as const),
    ...'TextLineDataset TFRecordDataset FixedLengthRecordReaderV2 SqlDataset CacheDatasetV2 SnapshotDatasetV2 LoadDataset RpcCall TryRpc'
      .split(' ')
      .map((op) => [op, 'high'] as const),
    ...'DebugIdentityV3 DebugNumericSummary LoadLibrary WriteImageSummary _Send RemoteCall LoadAndRemapMatrix'
      .split(' ')
      .map((op) => [op, 'high'] as const),
    ...'XlaCallModule QueueEnqueueV2 GeneratorDataset Surprise Addons>Resampler'
      .split(' ')
      .map((op) => [op, 'medium'] as const),
    ...'DecodeRaw DecodeJpeg ParseTensor PrintV2 Print'.split(' ').map((op) => [op, 'low'] as const),
  ];
  for (const [operator, severity] of cases) {
    t.equal(worst(reportOf(saved(graph(node('x', operator))))), severity, operator);
    const inside = saved(graph(node('y', 'f'), library(fn('f', 'a', node('x', operator, ['a'])))));
    t.equal(worst(reportOf(inside)), severity, `${operator} in a function`);
  }
  const toFile = node('p', 'PrintV2', [], attribute('output_stream', 'file:///tmp/x'));
  t.equal(worst(reportOf(saved(graph(toFile)))), 'high');
});

t.test('files are opened only where the loader or the caller names them', async (t) => {
  const opens = (value: string): Uint8Array => saved(graph(text('p', value), node('r', 'RestoreV2', ['p'])));
  for (const value of ['/etc/passwd', 'gs://bucket/x', '../x', 'relative'])
    t.same(rules(reportOf(opens(value))), ['tensorflow.file-access'], value);
  const joinedOutside = saved(
    graph(
      placeholder,
      text('p', '/../../x'),
      node('j', 'StringJoin', ['saver_filename', 'p']),
      node('s', 'SaveV2', ['j']),
    ),
  );
  t.ok(rules(reportOf(joinedOutside)).includes('tensorflow.file-access'));
  const viaFunction = saved(
    graph(
      text('p', '/etc/cron.d/x'),
      node('c', 'StatefulPartitionedCall', ['p']),
      library(fn('save', 'prefix', node('s', 'SaveV2', ['prefix']))),
    ),
  );
  t.same(rules(reportOf(viaFunction)), ['tensorflow.path']);
  const vocabulary = saved(graph(text('p', '/etc/passwd'), node('t', 'InitializeTableFromTextFileV2', ['table', 'p'])));
  t.equal(worst(reportOf(vocabulary)), 'high');
  const escaping = saved(graph(node('x', 'NoOp')), asset('p:0', '../../etc/passwd'));
  t.same(rules(reportOf(escaping)), ['tensorflow.asset']);
  t.ok(
    passes(reportOf(saved(graph(text('p', '/etc/passwd'), node('x', 'Identity', ['p']))))),
    'a text that opens nothing',
  );
});

t.test('Keras metadata inside a SavedModel is judged', async (t) => {
  const objects = (metadata: string): Field => [
    7,
    message([1, message([4, message([1, '_tf_keras_layer'], [3, metadata])])]),
  ];
  const lambda = JSON.stringify({ class_name: 'Lambda', config: { function: ['x'] } });
  t.equal(worst(reportOf(saved(graph(node('x', 'NoOp')), objects(lambda)))), 'high');
  t.ok(passes(reportOf(saved(graph(node('x', 'NoOp')), objects(JSON.stringify({ class_name: 'Mine', config: {} }))))));
});

t.test('fields that nobody knows, twice or behind the end are not passed over', async (t) => {
  const honest = saved(graph(node('x', 'NoOp')));
  t.match(reportOf(bytes(honest, message([9, 'x']))).coverage, { state: 'partial' });
  t.match(reportOf(saved(graph(node('x', 'NoOp', [], [99, 1])))).coverage, { state: 'partial' });
  t.equal(passes(reportOf(saved(graph(node('x', 'NoOp', [], [2, 'ReadFile']))))), false, 'an operator twice');
  t.equal(passes(reportOf(bytes(honest, 'more'))), false);
});

t.test('a chain of nodes behind a path ends at its limit or at its beginning', async (t) => {
  const chain = Array.from({ length: 3000 }, (_, index) =>
    node(`n${index}`, 'Identity', [`n${index + 1}`, `n${index}`]),
  );
  const report = reportOf(saved(graph(...chain, node('s', 'SaveV2', ['n0']))));
  t.same(rules(report), ['tensorflow.file-access']);
});

t.test('cut anywhere or with bits turned, a file only ever yields a report', async (t) => {
  const file = saved(
    graph(...saver, node('save', 'SaveV2', ['sharded', 'part']), library(fn('f', 'a', node('x', 'AddV2', ['a'])))),
  );
  for (const cut of truncations(file)) {
    if (cut.length > 2) t.equal(passes(reportOf(cut)), false, `cut at ${cut.length}`);
  }
  let reports = 0;
  for (const turned of bitFlips(file, 2000, 15)) reports += reportOf(turned).format.length > 0 ? 1 : 0;
  t.equal(reports, 2000);
});
