import t from 'tap';
import { type Flat, flatBuffer, table, tables } from '../support/flatbuffer-writer.ts';
import { message, type Value } from '../support/protobuf-writer.ts';
import { bitFlips, bytes, passes, reportOf, rules, truncations, worst } from '../support/reports.ts';
import { float32 } from '../support/safetensors-writer.ts';
import { writeZip } from '../support/zip-writer.ts';
import { hostilePickle } from './samples/hostile.ts';

// TensorFlow Lite, Core ML and PaddlePaddle.

type Table = ReturnType<typeof table>;
const ADD = table({ 0: 0, 3: 0 });
const custom = (name: string): Table => table({ 0: 32, 1: name, 3: 32 });
type Changes = {
  readonly codes?: readonly Table[];
  readonly operator?: Readonly<Record<number, Flat>>;
  readonly tensor?: Readonly<Record<number, Flat>>;
  readonly data?: Uint8Array;
  readonly model?: Readonly<Record<number, Flat>>;
};
const tflite = ({
  codes = [ADD],
  operator = {},
  tensor = {},
  data = float32(1, 2),
  model = {},
}: Changes = {}): Uint8Array => {
  const one = table({ 0: { integers: [2] }, 1: 0, 2: 1, 3: 'x', ...tensor });
  const two = table({ 0: { integers: [2] }, 1: 0, 2: 0, 3: 'y' });
  const step = table({ 0: 0, 1: { integers: [0, -1] }, 2: { integers: [1] }, ...operator });
  const graph = table({ 0: tables(one, two), 1: { integers: [0] }, 2: { integers: [1] }, 3: tables(step) });
  const buffers = tables(table({}), table({ 0: data }));
  return flatBuffer('TFL3', table({ 0: 3, 1: tables(...codes), 2: tables(graph), 4: buffers, ...model }));
};

t.test('TensorFlow Lite: builtin operators pass, with label files behind the model', async (t) => {
  const report = reportOf(tflite());
  t.match(report, { format: 'tflite', content: 'inert', coverage: { state: 'complete' }, findings: [] });
  t.match(report.details, { subgraphs: 1, tensors: 2, operators: 1, buffers: 2, operatorCodes: 1 });
  const labels = (data: Uint8Array | string): Uint8Array => bytes(tflite(), writeZip([{ name: 'labels.txt', data }]));
  t.ok(passes(reportOf(labels('cat\ndog\n'))));
  t.equal(passes(reportOf(labels(hostilePickle))), false, 'a pickle among the label files');
  t.equal(passes(reportOf(bytes(tflite(), new Uint8Array(8192)))), false, 'bytes that belong to nothing');
});

t.test('TensorFlow Lite: custom operators are findings, those of TensorFlow by its own list', async (t) => {
  const cases: readonly (readonly [Table, string])[] = [
    [custom('Evil'), 'high'],
    [custom('FlexWriteFile'), 'high'],
    [custom('FlexPyFunc'), 'high'],
    [custom('FlexSaveV2'), 'high'],
    [custom('FlexSurprise'), 'high'],
    [custom('FlexErf'), 'low'],
    [custom('TFLite_Detection_PostProcess'), 'info'],
    [table({ 0: 32, 1: 'Evil' }), 'high'],
    [table({ 3: 32, 1: 'Evil' }), 'high'],
    [table({ 0: 0, 1: 'Evil', 3: 32 }), 'high'],
    [table({ 0: 9, 3: 5 }), 'medium'],
    [table({ 0: 127, 3: 150 }), 'info'],
    [table({ 0: 127, 3: 9999 }), 'medium'],
  ];
  for (const [code, severity] of cases)
    t.equal(worst(reportOf(tflite({ codes: [code] }))), severity, JSON.stringify(code));
});

t.test('TensorFlow Lite: indices, sizes and offsets stay inside their bounds', async (t) => {
  for (const [name, file] of Object.entries({
    'an operator code that is not there': tflite({ operator: { 0: 9 } }),
    'an input that is not there': tflite({ operator: { 1: { integers: [5] } } }),
    'a negative input': tflite({ operator: { 1: { integers: [-2] } } }),
    'a buffer that is not there': tflite({ tensor: { 2: 9 } }),
    'a buffer that is too short': tflite({ data: float32(1) }),
    'a shape that overflows': tflite({ tensor: { 0: { integers: [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1] } } }),
    'a negative shape': tflite({ tensor: { 0: { integers: [-2, -1] } } }),
    'an unknown type': tflite({ tensor: { 1: 99 } }),
    'another version': tflite({ model: { 0: 9 } }),
    'metadata that are not there': tflite({ model: { 6: tables(table({ 0: 'm', 1: 9 })) } }),
  }))
    t.equal(passes(reportOf(file)), false, name);
  const root = tflite();
  root.set([0xff, 0xff, 0xff, 0x7f], 0);
  t.equal(passes(reportOf(root)), false, 'a root outside the file');
  t.same(rules(reportOf(tflite({ data: bytes([0x7f], 'ELF', [0, 0, 0, 0]) }))), ['tflite.tensor-content']);
});

type Field = readonly [number, Value];
const coreml = (...kind: readonly Field[]): Uint8Array =>
  message([1, 4], [2, message([100, message([1, 'd'])])], ...kind);
const network = (...layers: readonly Uint8Array[]): Field => [500, message(...layers.map((one) => [1, one] as const))];
const layer = (number: number, parameters: Uint8Array): Uint8Array =>
  message([1, 'l'], [2, 'x'], [3, 'y'], [number, parameters]);
const custom500 = layer(500, message([10, 'Evil']));
const program = (type: string, file: string): Field => {
  const value = message([5, message([1, file], [2, 64])]);
  const operation = message([1, type], [5, message([1, 'val'], [2, value])]);
  const block = message([1, 'CoreML7'], [2, message([3, operation])]);
  return [502, message([1, 1], [2, message([1, 'main'], [2, message([2, 'CoreML7'], [3, block])])])];
};

t.test('Core ML: computed models pass, classes and files by name are findings', async (t) => {
  const weights = '@model_path/weights/weight.bin';
  for (const file of [
    coreml(network(layer(230, message()))),
    coreml([302, 'trees']),
    coreml(program('const', weights)),
  ]) {
    const report = reportOf(file);
    t.match(report, { format: 'coreml', findings: [] });
    t.ok(passes(report));
  }
  const branch = layer(605, message([1, message([1, custom500])]));
  const pipeline: Field = [202, message([1, coreml([555, message([10, 'Evil'])])])];
  const linked = (path: string, name: string): Field => [
    556,
    message([1, message([1, message([1, name])], [2, message([1, path])])]),
  ];
  const cases: readonly (readonly [Field, string, string])[] = [
    [network(custom500), 'coreml.custom-layer', 'medium'],
    [network(branch), 'coreml.custom-layer', 'medium'],
    [pipeline, 'coreml.custom-model', 'medium'],
    [linked('', 'Other'), 'coreml.linked-model', 'medium'],
    [linked('../..', 'Other'), 'coreml.linked-model', 'high'],
    [program('custom_thing', weights), 'coreml.operation', 'medium'],
    [program('const', '/etc/passwd'), 'coreml.weights-path', 'high'],
    [program('const', '@model_path/../../x'), 'coreml.weights-path', 'high'],
  ];
  for (const [kind, rule, severity] of cases) {
    const report = reportOf(coreml(kind));
    t.same(rules(report), [rule]);
    t.equal(worst(report), severity, rule);
  }
  t.equal(passes(reportOf(coreml(network(layer(999, message()))))), false, 'a layer of no known kind');
});

t.test('PaddlePaddle: operators by allow-list, in every block', async (t) => {
  const block = (index: number, ...operators: readonly string[]): Field => [
    1,
    message([1, index], [2, 0], ...operators.map((type) => [4, message([3, type])] as const)),
  ];
  const honest = message(block(0, 'feed', 'conv2d', 'relu', 'fetch'), [4, message([1, 0])]);
  t.match(reportOf(honest), { format: 'paddle', findings: [], details: { operators: 4 } });
  for (const [operator, severity] of [
    ['py_func', 'high'],
    ['save_combine', 'high'],
    ['load', 'high'],
    ['send', 'high'],
    ['c_broadcast', 'high'],
    ['tensorrt_engine', 'high'],
    ['surprise', 'medium'],
  ] as const)
    t.equal(worst(reportOf(message(block(0, 'relu'), block(1, operator)))), severity, operator);
});

t.test('MediaPipe: calculators by allow-list in every node, files only where the caller names them', async (t) => {
  const pass = message([2, 'PassThroughCalculator']);
  const node = (name: string, ...fields: readonly Field[]): Field => [1, message([2, name], ...fields)];
  const graph = (...fields: readonly Field[]): Uint8Array => message([1, pass], ...fields);
  const inside = (...nodes: readonly Uint8Array[]): Field =>
    node('SwitchContainer', [7, message([345967970, message(...nodes.map((one) => [2, one] as const))])]);
  const typed = (type: string, options: Uint8Array): Field =>
    node('FaceDetectionShortRange', [8, message([1, `type.googleapis.com/mediapipe.${type}`], [2, options])]);
  const text = [7, message([291214597, message([1, message([4, '/etc/passwd'])])])] as const;
  const cpu = message([6, message([4, message()])]);
  for (const file of [
    graph(inside(pass, message([2, 'GateCalculator'], [7, message([261754847, message([2, 1])])]))),
    graph(typed('FaceDetectionOptions', cpu), [
      1002,
      message([1, 'type.googleapis.com/mediapipe.FaceDetectionOptions']),
    ]),
    graph(node('ConstantSidePacketCalculator', [6, 'text'], text)),
  ]) {
    t.match(reportOf(file), { format: 'mediapipe', content: 'inert', findings: [] });
    t.ok(passes(reportOf(file)));
  }
  const cases: readonly (readonly [Field, string, string])[] = [
    [inside(message([2, 'CallbackPacketCalculator'])), 'mediapipe.calculator', 'high'],
    [inside(message([2, 'LocalFileContentsCalculator'], [5, 'FILE_PATH'])), 'mediapipe.calculator', 'high'],
    [inside(message([2, 'SurpriseCalculator'])), 'mediapipe.unknown-calculator', 'medium'],
    [inside(message([2, 'ConstantSidePacketCalculator'], [6, 'PACKET'], text)), 'mediapipe.text', 'medium'],
    [typed('FaceDetectionOptions', message([1, '/etc/passwd'])), 'mediapipe.path', 'high'],
    [typed('FaceDetectionOptions', message([1, 'https://x/a.tflite'])), 'mediapipe.path', 'high'],
    [typed('TensorsToClassificationCalculatorOptions', message([3, 'labels.txt'])), 'mediapipe.path', 'medium'],
    [[12, message([1, 'SurpriseHandler'])], 'mediapipe.unknown-calculator', 'medium'],
  ];
  for (const [field, rule, severity] of cases) {
    const report = reportOf(graph(field));
    t.same([report.format, ...rules(report)], ['mediapipe', rule], rule);
    t.equal(worst(report), severity, rule);
  }
  const given = message([2, 'ConstantSidePacketCalculator'], [6, 'PACKET:path'], text);
  const reader = message([2, 'LocalFileContentsCalculator'], [5, 'FILE_PATH:0:path']);
  t.ok(
    rules(reportOf(message([1, given], [1, reader], [16, 'path']))).includes('mediapipe.calculator'),
    'a path of its own',
  );
  t.same(rules(reportOf(message([1, given], [17, 'MODEL_PATH:path']))), ['mediapipe.text'], 'a path for another graph');
  for (const field of [
    typed('SurpriseOptions', message()),
    typed('ConstantSidePacketCalculatorOptions', message()),
    node('', [99, 1]),
  ])
    t.equal(passes(reportOf(graph(field))), false, 'options or fields that are not known');
});

t.test('MediaPipe and TensorFlow: a graph is read as the one that could load it, or as both', async (t) => {
  const operator = (name: string): Field => [1, message([1, 'n'], [2, name])];
  t.equal(reportOf(message(operator('Add'))).format, 'tf-graphdef');
  t.equal(reportOf(message(operator('ReadFile'), operator('SurpriseCalculator'))).format, 'tf-graphdef');
  const library: Field = [
    2,
    message([1, message([1, message([1, 'PassThroughCalculator'])], [3, message([1, 'n'], [2, 'PyFunc'])])]),
  ];
  const both = reportOf(message(operator('PassThroughCalculator'), library));
  t.equal(both.format, 'tf-graphdef');
  t.ok(rules(both).includes('tensorflow.operator'), 'a function that bears the name of a calculator');
  const many = Array.from({ length: 80 }, () => operator('PassThroughCalculator'));
  const late = reportOf(message(...many, library));
  t.equal(passes(late), false, `a library behind many nodes: ${late.format}`);
});

t.test('cut anywhere or with bits turned, these files only ever yield a report', async (t) => {
  const model = tflite();
  for (const cut of truncations(model))
    if (cut.length >= 8 && cut.length < model.length - 4) t.equal(passes(reportOf(cut)), false, `cut at ${cut.length}`);
  let reports = 0;
  for (const file of [model, coreml(network(layer(230, message([1, 1]))))])
    for (const turned of bitFlips(file, 1500, 16)) reports += reportOf(turned).format.length > 0 ? 1 : 0;
  t.equal(reports, 3000);
});
