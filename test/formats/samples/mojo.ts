import { f32, f64, u16, u32 } from '../../support/little-writer.ts';
import { bytes } from '../../support/reports.ts';
import { writeZip } from '../../support/zip-writer.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

type Members = Readonly<Record<string, Uint8Array | string>>;
type Pairs = Readonly<Record<string, string | number>>;

const archive = (members: Members): Uint8Array =>
  new Uint8Array(writeZip(Object.entries(members).map(([name, data]) => ({ name, data, method: 'deflated' }))));

/** The `model.ini` of a model of two features, the second of which has three categories. */
const ini = (algorithm: string, algo: string, pairs: Pairs = {}, domain = '1: 3 d000.txt'): string => {
  const told = { mojo_version: '1.40', n_features: 2, n_columns: 3, endianness: 'LITTLE_ENDIAN', ...pairs };
  const lines = Object.entries(told).map(([key, value]) => `${key} = ${value}`);
  const info = ['[info]', `algo = ${algo}`, `algorithm = ${algorithm}`, ...lines];
  return [...info, '', '[columns]', 'a', 'b', 'y', '', '[domains]', domain, ''].join('\n');
};
const README = 'This folder contains experimental files.\n';
const around = { 'domains/d000.txt': 'x\ny\nz\n', 'experimental/README.md': README };
const big = (numbers: Uint8Array, width: number): Uint8Array => {
  const out = Buffer.from(numbers);
  return new Uint8Array(width === 4 ? out.swap32() : out.swap64());
};

/** A set of the categories 0 and 2, out of three. */
const SET = bytes(u16(0), u32(3), [5]);
/** A tree of two inner nodes: by a number, on the left a leaf; on the right by categories, with two leaves. */
const tree = ({ column = 0, missing = 2, set = SET, type = 0x30, right = 0xfc } = {}): Uint8Array =>
  bytes([type], u16(column), [missing], f32(0.5), f32(1), [right], u16(1), [3], set, f32(2), f32(3));
/** The same the other way round: the left child is a tree, whose bytes are told. */
const leftTree = (size = 4 + SET.length + 8): Uint8Array =>
  bytes([0xc0], u16(0), [2], f32(0.5), [size], [0xfc], u16(1), [3], SET, f32(2), f32(3), f32(1));
const known = (...ids: readonly (readonly [node: number, left: number, right: number])[]): Uint8Array =>
  bytes(...ids.map(([node, left, right]) => bytes(u32(node, 0), f32(1, 1, 0, 0, 0, 0), u32(left, right))));
const KNOWN = known([0, 1, 2], [2, 3, 4]);

const gbm = (members: Members = {}, pairs: Pairs = {}): Members => ({
  'trees/t00_000.bin': tree(),
  'trees/t00_000_aux.bin': KNOWN,
  'model.ini': ini('Gradient Boosting Machine', 'gbm', { n_trees: 1, n_trees_per_class: 1, ...pairs }),
  ...around,
  ...members,
});

const isolated = (...nodes: readonly Uint8Array[]): Uint8Array =>
  archive({
    'trees/t00.bin': bytes(u32(2), ...nodes),
    'model.ini': ini('Extended Isolation Forest', 'extendedisolationforest', { ntrees: 1 }),
    ...around,
  });
const split = (node: number): Uint8Array => bytes(u32(node), 'N', f64(0, 1, 1, 0));
const leaf = (node: number): Uint8Array => bytes(u32(node), 'L', u32(7));

const vectors = (numbers: Uint8Array): Uint8Array =>
  archive({
    vocabulary: 'cat\ndog\n',
    vectors: numbers,
    'model.ini': ini('Word2Vec', 'word2vec', { vocab_size: 2, vec_size: 3 }),
    ...around,
  });
const thresholds = (count: number, numbers: Uint8Array): Uint8Array => bytes(big(u32(count), 4), big(numbers, 8));
const spline = (kinds: Pairs, knots = f64(0, 0.5, 1)): Uint8Array => {
  const pairs = { num_knots_sorted: '[3]', num_TP_col: 0, num_IS_col: 0, num_MS_col: 0, ...kinds };
  const model = ini('Generalized Additive Model', 'gam', pairs);
  return archive({ knots: big(knots, 8), zTranspose: new Uint8Array(48), 'model.ini': model, ...around });
};
const numbersOf = (algorithm: string, algo: string, name: string, pairs: Pairs, size = 48): Uint8Array =>
  archive({ [name]: new Uint8Array(size).fill(63), 'model.ini': ini(algorithm, algo, pairs), ...around });

const ensemble = (folder: string, inner: Members): Uint8Array =>
  archive({
    'model.ini': ini('StackedEnsemble', 'stackedensemble', { submodel_count: 1, submodel_dir_0: folder }),
    ...around,
    ...Object.fromEntries(Object.entries(inner).map(([name, data]) => [`models/GBM/m_1/${name}`, data])),
  });

/** Models of H2O, as its servers export them. */
export const mojoSamples: readonly Samples[] = [
  {
    format: 'h2o-mojo',
    accept: {
      'a tree': () => archive(gbm()),
      'a tree whose left child is a tree': () =>
        archive(gbm({ 'trees/t00_000.bin': leftTree(), 'trees/t00_000_aux.bin': known([0, 1, 2], [1, 3, 4]) })),
      'a tree of one leaf': () =>
        archive(
          gbm({ 'trees/t00_000.bin': bytes([0], u16(0xffff), f32(1)), 'trees/t00_000_aux.bin': new Uint8Array(0) }),
        ),
      'a set in 32 bits, and a missing value by itself': () =>
        archive(
          gbm({
            'trees/t00_000.bin': bytes(
              bytes([0x30], u16(0), [1], f32(1)),
              bytes([0xf8], u16(1), [3], u32(5), f32(2, 3)),
            ),
          }),
        ),
      'a set as the first version wrote it': () =>
        archive(gbm({ 'trees/t00_000.bin': tree({ set: bytes(u16(0), u16(1), [5]) }) }, { mojo_version: '1.00' })),
      'calibrated answers': () =>
        archive(
          gbm({ 'calib/thresholds_x': thresholds(2, f64(0, 1)), 'calib/thresholds_y': thresholds(2, f64(0, 1)) }),
        ),
      'a tree of isolation': () => isolated(split(0), leaf(1), split(2), leaf(5), leaf(6), new Uint8Array(40)),
      'vectors of words': () => vectors(f32(1, 2, 3, 4, 5, 6)),
      'a spline': () => spline({}),
      components: () =>
        numbersOf('Principal Components Analysis', 'pca', 'eigenvectors_raw', { eigenvector_size: 3, k: 2 }),
      archetypes: () => numbersOf('Generalized Low Rank Model', 'glrm', 'archetypes', { nrowY: 3, ncolY: 2 }),
      hazards: () =>
        numbersOf('Cox Proportional Hazards', 'coxph', 'x_mean_num', { x_mean_num_size1: 3, x_mean_num_size2: 2 }),
      'an ensemble': () => ensemble('models/GBM/m_1/', gbm()),
    },
    reject: {
      'a column that does not exist': () => archive(gbm({ 'trees/t00_000.bin': tree({ column: 2 }) })),
      'a subtree that reaches outside': () => archive(gbm({ 'trees/t00_000.bin': leftTree(200) })),
      'a subtree that ends early': () => archive(gbm({ 'trees/t00_000.bin': leftTree(3) })),
      'a set that reaches outside': () =>
        archive(gbm({ 'trees/t00_000.bin': tree({ set: bytes(u16(0), u32(0xffffffff), [5]) }) })),
      'a test that is unknown': () => archive(gbm({ 'trees/t00_000.bin': tree({ type: 0x34 }) })),
      'children that are odd': () => archive(gbm({ 'trees/t00_000.bin': tree({ right: 0x7c }) })),
      'missing values that go nowhere': () => archive(gbm({ 'trees/t00_000.bin': tree({ missing: 9 }) })),
      'bytes behind a tree': () => archive(gbm({ 'trees/t00_000.bin': bytes(tree(), 'more') })),
      'a cut tree': () => archive(gbm({ 'trees/t00_000.bin': tree().subarray(0, 30) })),
      'an empty tree': () => archive(gbm({ 'trees/t00_000.bin': new Uint8Array(0) })),
      'nodes that are not told of': () => archive(gbm({ 'trees/t00_000_aux.bin': known([0, 1, 2]) })),
      'nodes that go round': () => archive(gbm({ 'trees/t00_000_aux.bin': known([0, 1, 2], [2, 0, 4]) })),
      'nodes of no tree': () => archive(gbm({ 'trees/t00_001_aux.bin': KNOWN }, { n_trees: 2 })),
      'a tree too many': () => archive(gbm({ 'trees/t00_001.bin': tree() })),
      'a pickle for a tree': () => archive(gbm({ 'trees/t00_000.bin': hostilePickle })),
      'a pickle beside the trees': () => archive(gbm({ 'domains/d000.txt': hostilePickle })),
      'a pickle for vectors': () => vectors(bytes(hostilePickle, new Uint8Array(24)).subarray(0, 24)),
      'a Java object for vectors': () => vectors(bytes([0xac, 0xed, 0, 5], 'sr', new Uint8Array(18))),
      'an executable for vectors': () => vectors(bytes([0x7f], 'ELF', new Uint8Array(20))),
      'vectors of other words': () => vectors(f32(1, 2, 3)),
      'a Java object beside the trees': () => archive(gbm({ state: bytes([0xac, 0xed, 0, 5], 'sr') })),
      'a compiled class': () => archive(gbm({ 'Model.class': bytes([0xca, 0xfe, 0xba, 0xbe], new Uint8Array(40)) })),
      'thresholds that are more than they say': () =>
        archive(gbm({ 'calib/thresholds_x': bytes(thresholds(1, f64(0.5)), 'x') })),
      'splines of another kind': () => spline({ num_IS_col: 1 }),
      'a spline with other knots': () => spline({}, f64(0, 1)),
      'a tree of isolation with a child that does not exist': () => isolated(split(0), leaf(1)),
      'a tree of isolation that goes back': () => isolated(split(0), leaf(2), leaf(1)),
      'a tree of isolation with more behind it': () => isolated(leaf(0), new Uint8Array(3), bytes('more')),
      'a network of another library': () =>
        archive(gbm({ 'model.ini': ini('Deep Water', 'deepwater'), model_network: '{}' })),
      'a pipeline': () => archive(gbm({ 'model.ini': ini('MOJO Pipeline', 'pipeline') })),
      'an algorithm with two names': () => archive(gbm({ 'model.ini': ini('Gradient Boosting Machine', 'pipeline') })),
      'a key that stands twice': () =>
        archive(gbm({ 'model.ini': ini('Gradient Boosting Machine', 'gbm', { 'n_trees ': 1, n_trees: 1 }) })),
      'bytes in another order': () => archive(gbm({}, { endianness: 'BIG_ENDIAN' })),
      'categories outside the archive': () =>
        archive(gbm({ 'model.ini': ini('Gradient Boosting Machine', 'gbm', {}, '1: 3 ../../../etc/passwd') })),
      'fewer categories than told': () => archive(gbm({ 'domains/d000.txt': 'x\n' })),
      'columns without a name': () => archive(gbm({}, { n_columns: 2_000_000_000 })),
      'a part that is missing': () => ensemble('models/GBM/m_2/', gbm()),
      'a part without a folder': () => ensemble('', gbm()),
      'a part that is whole again': () =>
        ensemble('models/GBM/m_1/', {
          ...gbm(),
          'model.ini': ini('k-LIME', 'klime', { submodel_count: 1, submodel_dir_0: '../../../' }),
        }),
      'a part with a broken tree': () => ensemble('models/GBM/m_1/', gbm({ 'trees/t00_000.bin': tree({ column: 9 }) })),
      'a part that no model names': () =>
        archive({ ...gbm(), 'models/GBM/m_1/model.ini': 'x', 'models/GBM/m_1/trees/t00_000.bin': tree() }),
      'a model of skops as well': () =>
        archive(
          gbm({
            'schema.json': JSON.stringify({
              __class__: 'system',
              __module__: 'os',
              __loader__: 'FunctionNode',
              content: { module_path: 'os', function: 'system' },
            }),
          }),
        ),
    },
  },
];
