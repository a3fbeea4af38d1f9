import t from 'tap';
import { message, type Value, varint } from '../support/protobuf-writer.ts';
import { bitFlips, bytes, passes, reportOf, rules, truncations, worst } from '../support/reports.ts';
import { float32 } from '../support/safetensors-writer.ts';
import { writeZip } from '../support/zip-writer.ts';

type Fields = readonly (readonly [number, Value])[];

const entry = (key: string, value: string): Uint8Array => message([1, key], [2, value]);
const tensor = (...more: Fields): Uint8Array => message([1, 2], [1, 2], [2, 1], [8, 'w'], ...more);
const honestTensor = tensor([9, float32(1, 2, 3, 4)]);
const node = (operator: string, domain = '', ...more: Fields): Uint8Array =>
  message([1, 'x'], [1, 'w'], [2, 'y'], [4, operator], ...(domain === '' ? [] : ([[7, domain]] as Fields)), ...more);
const value = (name: string): Uint8Array =>
  message([1, name], [2, message([1, message([1, 1], [2, message([1, message([1, 2])], [1, message([2, 'n'])])])])]);
const graph = (...more: Fields): Uint8Array => message([2, 'g'], [11, value('x')], [12, value('y')], ...more);
const opset = message([1, ''], [2, 17]);
const model = (inside: Uint8Array, ...more: Fields): Uint8Array =>
  message([1, 8], [2, 'writer'], [7, inside], [8, opset], ...more);
const withTensor = (one: Uint8Array): Uint8Array => model(graph([1, node('MatMul')], [5, one]));
const withNode = (one: Uint8Array, ...more: Fields): Uint8Array => model(graph([1, one], [5, honestTensor]), ...more);
const external = (location: string, ...more: readonly (readonly [string, string])[]): Uint8Array =>
  withTensor(tensor([13, entry('location', location)], ...more.map(([k, v]) => [13, entry(k, v)] as const), [14, 1]));
const honest = withTensor(honestTensor);

t.test('honest models pass with their facts', async (t) => {
  const report = reportOf(honest);
  t.match(report, { format: 'onnx', content: 'inert', coverage: { state: 'complete' }, findings: [] });
  t.match(report.details, { nodes: 1, tensors: 1, parameters: 4, domains: ['ai.onnx'], producer: 'writer' });
  const inner = graph([1, node('Add')]);
  const loop = node('If', '', [5, message([1, 'then_branch'], [20, 5], [6, inner])]);
  const own = message([1, 'Twice'], [4, 'a'], [5, 'b'], [7, node('Add')], [9, opset], [10, 'own.functions']);
  for (const [name, file] of Object.entries({
    'a graph in an attribute': withNode(loop),
    'a function of the model': withNode(node('Twice', 'own.functions'), [25, own]),
    'machine learning operators': withNode(node('Scaler', 'ai.onnx.ml')),
    'data beside the model': external('model.onnx_data', ['offset', '0'], ['length', '16']),
    'typed data': withTensor(tensor([4, float32(1, 2, 3, 4)])),
    'no ranks': withTensor(message([2, 1], [8, 's'], [4, float32(1)])),
    'words in a description': model(graph([10, 'do not use os.system() here'], [1, node('Relu')])),
    metadata: model(graph([1, node('Relu')]), [14, entry('author', 'somebody')]),
  })) {
    const passed = reportOf(file);
    t.same(passed.findings, [], name);
    t.ok(passes(passed), name);
  }
});

t.test('operators that need more than a runtime are findings', async (t) => {
  const aten = (name: string): Uint8Array =>
    node('ATen', 'org.pytorch.aten', [5, message([1, 'operator'], [20, 3], [4, name])]);
  const hidden = node('If', '', [5, message([1, 'else_branch'], [20, 5], [6, graph([1, node('Exec', 'com.evil')])])]);
  const cases: readonly (readonly [Uint8Array, string, string])[] = [
    [node('Exec', 'com.evil'), 'onnx.custom-operator', 'medium'],
    [hidden, 'onnx.custom-operator', 'medium'],
    [node('Twice', 'own.functions'), 'onnx.custom-operator', 'medium'],
    [node('NoSuchOperator'), 'onnx.unknown-operator', 'medium'],
    [aten('from_file'), 'onnx.operator', 'high'],
    [aten('add'), 'onnx.custom-operator', 'medium'],
    [node('PyOp', 'com.microsoft'), 'onnx.operator', 'high'],
    [node('EPContext', 'com.microsoft'), 'onnx.operator', 'high'],
    [node('FusedMatMul', 'com.microsoft'), 'onnx.contributed-operator', 'info'],
  ];
  for (const [one, rule, severity] of cases) {
    const report = reportOf(withNode(one));
    t.same(rules(report), [rule]);
    t.equal(worst(report), severity, rule);
  }
});

t.test('external data lie beside the model or are findings', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['/etc/passwd', 'high'],
    ['../weights.bin', 'high'],
    ['a/../../weights.bin', 'high'],
    ['..\\weights.bin', 'high'],
    ['C:\\weights.bin', 'high'],
    ['*/_ORT_MEM_ADDR_/*', 'high'],
    ['file://host/x', 'high'],
    ['', 'high'],
    ['folder/weights.bin', 'medium'],
  ];
  for (const [location, severity] of cases) t.equal(worst(reportOf(external(location))), severity, location);
  t.equal(worst(reportOf(external('w.bin', ['offset', '-4']))), 'high');
  t.equal(worst(reportOf(external('w.bin', ['length', '99999999999999999999']))), 'high');
  t.equal(worst(reportOf(external('w.bin', ['length', '17']))), 'high');
  t.equal(worst(reportOf(external('w.bin', ['location', '/etc/passwd']))), 'high');
  const nested = node('Constant', '', [5, message([1, 'value'], [20, 4], [5, tensor([13, entry('location', '/x')])])]);
  t.equal(worst(reportOf(withNode(nested))), 'high', 'of a tensor inside an attribute');
});

t.test('tensors that do not have the bytes of their shape do not pass', async (t) => {
  const overflow = message([1, 2n ** 40n], [1, 2n ** 40n], [2, 1], [8, 'w'], [9, new Uint8Array(16)]);
  for (const [name, one] of Object.entries({
    overflow,
    'too few bytes': tensor([9, new Uint8Array(12)]),
    'too many bytes': tensor([9, new Uint8Array(20)]),
    'no bytes': tensor(),
    'negative dimension': message([1, -1], [2, 1], [9, new Uint8Array(4)]),
    'too few numbers': tensor([4, float32(1, 2, 3)]),
    'unknown type': message([1, 1], [2, 99], [9, new Uint8Array(4)]),
    '65 dimensions': message(...Array.from({ length: 65 }, () => [1, 1] as const), [2, 1], [9, new Uint8Array(4)]),
  })) {
    t.equal(passes(reportOf(withTensor(one))), false, name);
  }
});

t.test('what is hidden in tensors, metadata and around the model is told', async (t) => {
  const bytesOf = (content: Uint8Array): Uint8Array =>
    withTensor(message([1, content.length], [2, 2], [8, 'w'], [9, content]));
  t.same(rules(reportOf(bytesOf(bytes([0x7f], 'ELF', new Uint8Array(60))))), ['onnx.tensor-content']);
  t.same(rules(reportOf(bytesOf(bytes('cposix\nsystem\n(S"x"\ntR.', new Uint8Array(60))))), ['onnx.tensor-content']);
  const script = reportOf(model(graph([1, node('Relu')]), [14, entry('post', "import os; os.system('x')")]));
  t.equal(worst(script), 'low');
  const zip = reportOf(bytes(honest, writeZip([{ name: 'a.txt', data: 'x' }])));
  t.equal(worst(zip), 'high');
  t.equal(passes(reportOf(bytes(honest, 'more'))), false);
  t.match(reportOf(model(graph([1, node('Relu')]), [99, 'unknown'])).coverage, { state: 'partial' });
  t.match(reportOf(withTensor(tensor([9, float32(1, 2, 3, 4)], [77, 1]))).coverage, { state: 'partial' });
  const twice = reportOf(bytes(honest, message([7, graph([1, node('Exec', 'com.evil')])])));
  t.same([...rules(twice)].sort(), ['onnx.custom-operator', 'onnx.field-twice'], 'readers merge a second graph');
  t.equal(passes(reportOf(model(graph([1, node('Relu')]), [1, 9]))), false, 'a second version');
  t.equal(passes(reportOf(bytes(message([1, 99], [7, graph([1, node('Relu')])])))), false, 'a version of the future');
});

t.test('graphs nested without end stop at a limit', async (t) => {
  let inner = graph([1, node('Relu')]);
  for (let level = 0; level < 60; level++) inner = graph([1, node('If', '', [5, message([1, 'b'], [6, inner])])]);
  t.match(reportOf(model(inner)).findings, [{ rule: 'onnx.limit' }]);
});

t.test('cut anywhere or with bits turned, a file only ever yields a report', async (t) => {
  const file = model(graph([1, node('MatMul')], [5, honestTensor]), [14, entry('a', 'b')], [5, varint(300)]);
  for (const cut of truncations(honest)) {
    if (cut.length < 3 || cut.length >= honest.length - opset.length - 2) continue;
    t.equal(passes(reportOf(cut)), false, `cut at ${cut.length}`);
  }
  let reports = 0;
  for (const turned of bitFlips(file, 2000, 12)) reports += reportOf(turned).format.length > 0 ? 1 : 0;
  t.equal(reports, 2000);
});
