import t from 'tap';
import type { Companion, Report } from '../../src/formats/format.ts';
import { readReport } from '../../src/sandbox/answer.ts';
import { checkpointIndex, ncnnGraph, onnxBeside, openvinoGraph, tfjsModel } from '../support/bare-weights.ts';
import { bitFlips, bytes, reportOf, rules, worst } from '../support/reports.ts';
import { writeZip } from '../support/zip-writer.ts';

const companions = (content: Uint8Array | string): readonly Companion[] => reportOf(content).companions ?? [];
const sizes = (content: Uint8Array | string): readonly number[] => companions(content).map(({ size }) => size);
const whyNot = (content: Uint8Array | string): string =>
  JSON.stringify(reportOf(content).details?.['notLaidOut'] ?? '');

t.test('an index names the files that it lays out, with their sizes', async (t) => {
  t.same(companions(checkpointIndex([{ size: 30 }, { size: 10 }])), [
    { names: ['.data-00000-of-00001'], sameStem: true, size: 40, fixed: [] },
  ]);
  const sharded = checkpointIndex([{ size: 30 }, { size: 10, offset: 0, shard: 1 }], 2);
  t.match(companions(sharded), [
    { names: ['.data-00000-of-00002'], size: 30 },
    { names: ['.data-00001-of-00002'], size: 10 },
  ]);
  t.same(companions(onnxBeside('./w', [{ offset: 0, size: 5 }])), [
    { names: ['w'], sameStem: false, size: 5, fixed: [] },
  ]);
  t.same(companions(tfjsModel(['a', 'b'], [3, 4])), [{ names: ['a', 'b'], sameStem: false, size: 7, fixed: [] }]);
  const list = JSON.stringify(JSON.parse(tfjsModel(['a'], [3])).weightsManifest);
  t.match(companions(list), [{ names: ['a'], size: 3 }], 'a manifest that is a document of its own');
  t.same(
    companions(
      openvinoGraph([
        { offset: 4, size: 6 },
        { offset: 0, size: 4 },
        { offset: 4, size: 6 },
      ]),
    ),
    [{ names: ['.bin'], sameStem: true, size: 10, fixed: [] }],
  );
  t.same(companions(ncnnGraph(5)), [
    {
      names: ['.bin'],
      sameStem: true,
      size: 28,
      fixed: [
        { offset: 0, length: 4, value: 0x01306b47 },
        { offset: 14, length: 2, value: 0 },
      ],
    },
    { names: ['.bin'], sameStem: true, size: 36, fixed: [{ offset: 0, length: 4, value: 0 }] },
  ]);
});

t.test('gaps are padding only where writers of the format leave some', async (t) => {
  const onnx = (offset: number) =>
    onnxBeside('w', [
      { offset: 0, size: 5000 },
      { offset, size: 10 },
    ]);
  t.match(companions(onnx(8192)), [{ size: 8202, fixed: [{ offset: 5000, length: 3192, value: 0 }] }]);
  t.match(companions(onnx(65_536)), [{ size: 65_546 }]);
  for (const offset of [5001, 8191, 8193, 73_728, 4999, 0]) {
    t.same(companions(onnx(offset)), [], String(offset));
    t.match(whyNot(onnx(offset)), /w: (\d+ bytes at 5000 belong to no tensor|two tensors share bytes)/, String(offset));
  }
  t.same(companions(onnxBeside('w', [{ offset: 4096, size: 5 }])), [
    { names: ['w'], sameStem: false, size: 4101, fixed: [{ offset: 0, length: 4096, value: 0 }] },
  ]);
  t.same(companions(checkpointIndex([{ size: 5000 }, { offset: 8192, size: 10 }])), [], 'TensorFlow leaves none');
  t.same(
    companions(
      openvinoGraph([
        { offset: 0, size: 5000 },
        { offset: 8192, size: 1 },
      ]),
    ),
    [],
    'nor does OpenVINO',
  );
});

t.test('what has no certain size, or is more than numbers, is not laid out', async (t) => {
  t.same(companions(checkpointIndex([{ size: 5 }, { size: 5, type: 21 }])), [], 'a variant');
  t.same(companions(checkpointIndex([{ size: 5 }, { size: 5, type: 20 }])), [], 'a handle of a resource');
  t.same(sizes(checkpointIndex([{ size: 5 }, { size: 9, type: 7 }])), [14], 'texts');
  const manifest = (weight: object): string =>
    JSON.stringify([{ paths: ['w'], weights: [{ name: 'a', shape: [3], dtype: 'float32', ...weight }] }]);
  t.same(sizes(manifest({})), [12]);
  t.same(sizes(manifest({ shape: [] })), [4], 'one number');
  t.same(sizes(manifest({ quantization: { dtype: 'float16', original_dtype: 'float32' } })), [6]);
  t.same(sizes(manifest({ quantization: { dtype: 'uint8', min: 0, scale: 1 } })), [3]);
  const wrong: readonly object[] = [
    { dtype: 'string' },
    { dtype: 'float64' },
    { dtype: 4 },
    { quantization: { dtype: 'string' } },
    { quantization: {} },
    { shape: [-1] },
    { shape: [1.5] },
    { shape: ['3'] },
    { shape: [1e15, 1e15] },
    { shape: [9007199254740991] },
    { shape: 3 },
    { shape: Array.from({ length: 65 }, () => 1) },
  ];
  for (const weight of wrong) t.same(companions(manifest(weight)), [], JSON.stringify(weight).slice(0, 60));
  for (const paths of [[], ['a', 'a'], ['a/b'], ['a\\b'], ['.'], [''], [4], ['x'.repeat(300)], 'a'])
    t.same(
      companions(JSON.stringify([{ paths, weights: [{ shape: [3], dtype: 'bool' }] }])),
      [],
      JSON.stringify(paths),
    );
  t.same(companions(openvinoGraph([{ offset: 0, size: 4 }]).replace('size="4"', 'size="5"')), []);
  t.same(companions(openvinoGraph([{ offset: 0, size: 4 }]).replace('"u8"', '"string"')), []);
  for (const [from, to] of [
    ['6=5', '6=5 8=1'],
    ['6=5', '6=5 6=5'],
    ['6=5', '6=5.0'],
    ['6=5', '19=1'],
    ['Convolution', 'LSTM'],
    ['Convolution', '__proto__'],
  ] as const)
    t.same(companions(ncnnGraph(5).replace(from, to)), [], to);
});

t.test('the description of an array lays out its chunks; chunks that are pickles are a finding', async (t) => {
  const zarray = (other: object = {}): string =>
    JSON.stringify({
      ...{ zarr_format: 2, shape: [100, 60], chunks: [50, 25], dtype: '<f4', compressor: null },
      ...other,
    });
  const grid = { prefix: '', separator: '.', counts: [2, 3], packing: '' };
  const laidOut = { names: [], sameStem: false, size: 5000, fixed: [] };
  t.same(companions(zarray()), [{ ...laidOut, grid }]);
  t.same(companions(zarray({ filters: [], compressor: { id: 'blosc' }, dimension_separator: '/' })), [
    { ...laidOut, grid: { ...grid, separator: '/', packing: 'blosc' } },
  ]);
  const zarr3 = (other: object = {}): string =>
    JSON.stringify({
      ...{ zarr_format: 3, node_type: 'array', shape: [100, 60], data_type: 'float32', codecs: [{ name: 'bytes' }] },
      ...{ chunk_grid: { name: 'regular', configuration: { chunk_shape: [50, 25] } } },
      ...{ chunk_key_encoding: { name: 'default' } },
      ...other,
    });
  t.same(companions(zarr3()), [{ ...laidOut, grid: { ...grid, prefix: 'c', separator: '/' } }]);
  t.same(companions(zarr3({ codecs: [{ name: 'bytes' }, { name: 'zstd' }], chunk_key_encoding: { name: 'v2' } })), [
    { ...laidOut, grid: { ...grid, packing: 'zstd' } },
  ]);
  t.match(companions(zarray({ shape: [], chunks: [], dtype: 'bfloat16' })), [{ size: 2, grid: { counts: [] } }]);
  for (const other of [
    { dtype: '|O' },
    { dtype: '<U8' },
    { dtype: '<f3' },
    { dtype: [['a', '<f4']] },
    { filters: [{ id: 'delta' }] },
    { filters: 'none' },
    { compressor: { id: 'other' } },
    { compressor: 'zstd' },
    { chunks: [50] },
    { chunks: [50, 0] },
    { chunks: [2 ** 40, 2 ** 40] },
    { shape: [-1, 60] },
    { shape: [2 ** 50, 60] },
    { dimension_separator: '..' },
    { zarr_format: 4 },
  ])
    t.same(companions(zarray(other)), [], JSON.stringify(other));
  for (const other of [
    { codecs: [{ name: 'sharding_indexed', configuration: { codecs: [{ name: 'bytes' }] } }] },
    { codecs: [] },
    { data_type: 'string' },
    { data_type: '<f4' },
    { storage_transformers: [{ name: 'x' }] },
    { chunk_grid: { name: 'rectilinear' } },
    { node_type: 'group' },
  ])
    t.same(companions(zarr3(other)), [], JSON.stringify(other));
  const pickled = zarray({ dtype: '|O', filters: [{ id: 'pickle', protocol: 5 }] });
  for (const hostile of [
    pickled,
    zarray({ compressor: { id: 'pickle' } }),
    zarr3({ codecs: [{ name: 'numcodecs.pickle' }] }),
    zarr3({ codecs: [{ name: 'sharding_indexed', configuration: { codecs: [{ name: 'numcodecs.pickle' }] } }] }),
    JSON.stringify({ zarr_consolidated_format: 1, metadata: { 'w/.zarray': JSON.parse(pickled) } }),
  ]) {
    const report = reportOf(hostile);
    t.same([rules(report), worst(report), report.companions], [['config.zarr-pickle'], 'high', undefined], hostile);
  }
});

t.test('a path out of the folder is a finding, and nothing is laid out', async (t) => {
  for (const path of ['../w', '/etc/passwd', 'a/../../w', '..\\w', 'C:\\w', 'w\0']) {
    const report = reportOf(tfjsModel([path], [4]));
    t.same([rules(report), worst(report), report.companions], [['config.weights-path'], 'high', undefined], path);
    const onnx = reportOf(onnxBeside(path, [{ offset: 0, size: 4 }]));
    t.same([worst(onnx), onnx.companions], ['high', undefined], `${path} in ONNX`);
  }
});

t.test('a name that another loader may go by is not that of bare bytes', async (t) => {
  for (const name of [
    'w.pkl',
    'w.pt',
    'w.engine',
    'w.so',
    'w.py',
    'w.tflite',
    'w.bin.exe',
    'w.',
    '.',
    '..',
    'a/w.bin',
  ]) {
    t.same(companions(onnxBeside(name, [{ offset: 0, size: 4 }])), [], name);
    t.same(companions(tfjsModel([name], [4])), [], name);
  }
  for (const name of [
    'w',
    'onnx__MatMul_12',
    'model.layers.0.weight',
    'm.onnx_data',
    'm.onnx_data_1',
    'm.onnx.data',
    'w.bin',
    'a-shard1',
  ])
    t.equal(companions(onnxBeside(name, [{ offset: 0, size: 4 }])).length, 1, name);
});

t.test('limits end in nothing laid out, and in no slow or large report', async (t) => {
  const many = onnxBeside(
    'w',
    Array.from({ length: 50_000 }, (_, index) => ({ offset: index * 4096, size: 1 })),
  );
  t.same(companions(many), []);
  t.match(whyNot(many), /more than 40000 gaps/);
  const padded = onnxBeside(
    'w',
    Array.from({ length: 9000 }, (_, index) => ({ offset: index * 65_536, size: 1 })),
  );
  t.same(companions(padded), [], 'more padding than is worth reading');
  t.match(whyNot(padded), /bytes of padding/);
  const files = JSON.stringify(
    Array.from({ length: 1001 }, (_, index) => ({ paths: [`w${index}`], weights: [{ shape: [1], dtype: 'bool' }] })),
  );
  t.same(companions(files), []);
});

t.test('an index inside another file lays out nothing', async (t) => {
  const model = Buffer.from(tfjsModel(['w'], [4]));
  t.equal(companions(model).length, 1);
  t.same(companions(writeZip([{ name: 'model.json', data: model }])), []);
});

t.test('whatever is laid out by a damaged index is well formed, and crosses the sandbox as it is', async (t) => {
  const indexes = [
    checkpointIndex([{ size: 300 }, { size: 100 }]),
    onnxBeside('w', [
      { offset: 0, size: 5000 },
      { offset: 8192, size: 10 },
    ]),
    bytes(tfjsModel(['a', 'b'], [300, 4])),
    bytes(openvinoGraph([{ offset: 0, size: 300 }])),
    bytes(ncnnGraph(5)),
  ];
  for (const index of indexes) {
    for (const turned of bitFlips(index, 300, 11)) {
      const report: Report = reportOf(turned);
      const back = readReport(JSON.stringify(report), turned.length);
      t.same(back.companions, report.companions);
      for (const { size, fixed, names } of report.companions ?? []) {
        t.ok(Number.isSafeInteger(size) && size > 0 && names.length > 0);
        t.ok(fixed.every(({ offset, length }) => offset >= 0 && length > 0 && offset + length <= size));
      }
    }
  }
});
