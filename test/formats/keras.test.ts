import t from 'tap';
import { createBudget } from '../../src/bytes/limits.ts';
import { SEVERITIES, type Severity } from '../../src/formats/format.ts';
import { parseJson } from '../../src/formats/json/parse.ts';
import { judgeConfig } from '../../src/formats/keras/config.ts';
import { hdf5 } from '../support/hdf5-writer.ts';
import { bitFlips, bytes, passes, reportOf, rules, worst } from '../support/reports.ts';
import { writeZip } from '../support/zip-writer.ts';

type Json = { readonly [key: string]: unknown };

const layer = (class_name: string, config: Json = {}, more: Json = {}): Json => ({
  module: 'keras.layers',
  class_name,
  config: { name: 'l', ...config },
  registered_name: null,
  ...more,
});
const model = (...layers: readonly Json[]): Json => ({
  module: 'keras',
  class_name: 'Functional',
  config: { name: 'm', layers },
  registered_name: 'Functional',
});
const dense = layer('Dense', {
  units: 4,
  activation: 'relu',
  kernel_initializer: { module: 'keras.initializers', class_name: 'GlorotUniform', config: { seed: null } },
  dtype: { module: 'keras', class_name: 'DTypePolicy', config: { name: 'float32' }, registered_name: null },
});
const archive = (
  config: Json | string,
  more: readonly { name: string; data: Uint8Array | string }[] = [],
): Uint8Array =>
  writeZip([
    { name: 'metadata.json', data: '{"keras_version": "3.8.0"}' },
    { name: 'config.json', data: typeof config === 'string' ? config : JSON.stringify(config) },
    { name: 'model.weights.h5', data: hdf5({}) },
    ...more,
  ]);
const severityOf = (config: Json, reader: 'keras' | 'saved-model' = 'keras'): Severity => {
  const { value } = parseJson(JSON.stringify(config), { depth: 512, python: true });
  return judgeConfig(value, reader, createBudget()).reduce<Severity>(
    (worst, { severity }) => (SEVERITIES.indexOf(severity) > SEVERITIES.indexOf(worst) ? severity : worst),
    'info',
  );
};
const bytecode = `4wEAAAAAAAAA${'A'.repeat(60)}`;

t.test('models of Keras alone pass in each of their forms', async (t) => {
  const honest = model(
    layer('InputLayer', { batch_shape: [null, 8], dtype: 'float32' }),
    dense,
    layer('Bidirectional', { layer: layer('LSTM', { units: 4, recurrent_activation: 'sigmoid' }) }),
    layer('TextVectorization', { vocabulary: ['a', 'b'], split: 'whitespace' }),
    layer('Activation', {
      activation: { module: 'builtins', class_name: 'function', config: 'gelu', registered_name: 'function' },
    }),
    layer('Dense', {}, { module: 'keras.src.layers.core.dense' }),
  );
  for (const file of [
    archive(honest),
    archive(honest, [{ name: 'assets/vocabulary.txt', data: 'a\nb\n' }]),
    bytes(JSON.stringify(honest)),
    hdf5({ attributes: { model_config: JSON.stringify(honest) } }),
    bytes(JSON.stringify({ modelTopology: { model_config: honest }, weightsManifest: [] })),
    bytes(JSON.stringify({ class_name: 'Tokenizer', config: { num_words: 5, word_index: '{"a": 1}' } })),
    bytes(JSON.stringify({ class_name: 'SomethingElse', config: { of: 'another library' } })),
  ]) {
    const report = reportOf(file);
    t.same(report.findings, []);
    t.ok(passes(report));
  }
});

t.test('what runs code, opens files or names what is not of Keras is a finding at any depth', async (t) => {
  const cases: readonly (readonly [Json, Severity])[] = [
    [layer('Lambda', { function: 'evil' }), 'high'],
    [layer('Custom', { function: [bytecode, null, null] }), 'critical'],
    [{ class_name: '__lambda__', config: { code: bytecode } }, 'critical'],
    [layer('TFSMLayer', { filepath: 'model' }), 'high'],
    [layer('TorchModuleWrapper'), 'high'],
    [layer('Dense', {}, { registered_name: 'Package>Lambda', class_name: 'Package>Lambda' }), 'high'],
    [layer('get_file', { fname: 'x', origin: 'http://example.com/x' }, { module: 'keras.utils' }), 'high'],
    [layer('load_model', {}, { module: 'keras.models' }), 'high'],
    [layer('system', {}, { module: 'os' }), 'high'],
    [layer('Popen', {}, { module: 'subprocess' }), 'high'],
    [layer('Anything', {}, { module: '__main__' }), 'high'],
    [layer('Dense', {}, { module: 'some_package' }), 'medium'],
    [layer('Dense', {}, { module: 'keras.layers.os' }), 'info'],
    [layer('MyLayer'), 'medium'],
    [layer('Dense', {}, { registered_name: 'my_package>Dense' }), 'medium'],
    [layer('Gemma', {}, { module: 'keras_hub.src.models.gemma', registered_name: 'keras_hub>Gemma' }), 'low'],
    [{ module: 'builtins', class_name: 'function', config: 'eval' }, 'high'],
    [{ module: 'builtins', class_name: 'function', config: 'os.system' }, 'high'],
    [{ module: 'builtins', class_name: 'function', config: 'my_loss' }, 'medium'],
    [layer('StringLookup', { vocabulary: '/etc/passwd' }), 'high'],
    [layer('StringLookup', { vocabulary: 'http://example.com/v.txt' }), 'high'],
    [layer('StringLookup', { vocabulary: 'vocabulary.txt' }), 'medium'],
    [layer('Dense', { cache_dir: '/tmp' }), 'medium'],
    [layer('Dense', { weights_path: '../../x' }), 'medium'],
    [layer('Dense', { safe_mode: false }), 'high'],
    [layer('Dense', { anything: 'enable_unsafe_deserialization' }), 'high'],
    [layer('TFOpLambda', { function: 'math.add' }), 'info'],
    [layer('TFOpLambda', { function: 'io.read_file' }), 'high'],
    [layer('TFOpLambda', { function: 'raw_ops.WriteFile' }), 'high'],
    [layer('TFOpLambda', { function: 'raw_ops.AddV2' }), 'info'],
    [layer('TensorFlowOpLayer', { node_def: '' }), 'high'],
    [{ class_name: ['Lambda'], config: {} }, 'medium'],
  ];
  for (const [one, severity] of cases) {
    const told = JSON.stringify(one).slice(0, 90);
    t.equal(severityOf(model(one)), severity, told);
    const wrapped = layer('TimeDistributed', { layer: model(dense, layer('Wrapper', { inner: [{ deep: one }] })) });
    t.equal(severityOf(model(wrapped)) === 'info', false, `wrapped: ${told}`);
  }
  t.equal(severityOf({ loss: layer('Lambda') }), 'high', 'a loss');
});

t.test('a SavedModel falls back to its graph for classes it does not know, and not for code', async (t) => {
  t.equal(severityOf(model(layer('MyLayer')), 'saved-model'), 'info');
  t.equal(severityOf(model(layer('Lambda')), 'saved-model'), 'high');
  t.equal(severityOf(model(layer('system', {}, { module: 'os' })), 'saved-model'), 'high');
});

t.test('JSON that is an architecture is judged, wherever tools put it', async (t) => {
  const evil = { class_name: 'Sequential', config: { layers: [layer('Lambda')] } };
  for (const document of [evil, layer('Lambda'), { model_config: evil }, { modelTopology: { model_config: evil } }])
    t.equal(worst(reportOf(JSON.stringify(document))), 'high');
});

t.test('archives hold what Keras writes, and an architecture', async (t) => {
  t.equal(passes(reportOf(archive('{"no": "model"}'))), false);
  t.equal(passes(reportOf(archive('{"class_name": "Seq'))), false);
  t.same(rules(reportOf(archive(model(dense), [{ name: 'more.txt', data: 'x' }]))), ['keras.extra-member']);
  const script = reportOf(archive(model(dense), [{ name: 'more.py', data: 'import os\nos.system("x")\n' }]));
  t.equal(passes(script), false);
  const twice = archive(model(dense), [{ name: 'config.json', data: JSON.stringify(model(layer('Lambda'))) }]);
  t.equal(worst(reportOf(twice)), 'high');
  let nested = dense;
  for (let level = 0; level < 700; level++) nested = model(nested);
  t.equal(passes(reportOf(archive(nested))), false, 'nested beyond the limit');
});

t.test('with bits turned, an archive only ever yields a report', async (t) => {
  let reports = 0;
  for (const turned of bitFlips(archive(model(dense)), 500, 14)) reports += reportOf(turned).format.length > 0 ? 1 : 0;
  t.equal(reports, 500);
});
