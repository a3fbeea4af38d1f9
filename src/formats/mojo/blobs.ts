import { type Budget, MIB, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { disguiseOf } from '../disguise.ts';
import { countOf, countsOf, type ModelInfo } from './info.ts';
import { invalid } from './invalid.ts';
import { walkIsolationTree } from './isolation.ts';
import type { Model } from './models.ts';
import { checkAuxiliary, walkTree } from './tree.ts';

/** Bytes of one tree: unlimited depth on millions of rows makes some tens of megabytes. */
const TREE_BYTES = 128 * MIB;
/** Algorithms whose trees are compressed one way, and those whose answers may be calibrated. */
const TREES = new Set(['gbm', 'drf', 'upliftdrf', 'isolationforest']);
const CALIBRATED = new Set(['gbm', 'drf', 'xgboost', 'isotonicregression']);
const TREE = /^trees\/t(\d{2,6})_(\d{3,6})(_aux)?\.bin$/;
const ISOLATION_TREE = /^trees\/t(\d{2,6})\.bin$/;
/** What Java objects begin with, when they are serialised. */
const JAVA = [0xac, 0xed, 0x00, 0x05];

const product = (info: ModelInfo, ...keys: readonly string[]): number =>
  keys.reduce((so, key) => so * (countOf(info, key) ?? Number.NaN), 1);

/** Numbers of a cubic regression spline for each knot count, and for each column: the only splines whose layout is known. */
const splines = (info: ModelInfo, each: (knots: number) => number): number => {
  if (['num_TP_col', 'num_IS_col', 'num_MS_col'].some((key) => countOf(info, key) !== 0)) return Number.NaN;
  return (countsOf(info, 'num_knots_sorted') ?? [Number.NaN]).reduce((sum, knots) => sum + each(knots), 0);
};

/** How many bytes the numbers of a member are, by algorithm and member: big-endian doubles, and floats of vectors. */
const NUMBERS: Readonly<Record<string, Readonly<Record<string, (info: ModelInfo) => number>>>> = {
  word2vec: { vectors: (info) => 4 * product(info, 'vocab_size', 'vec_size') },
  pca: { eigenvectors_raw: (info) => 8 * product(info, 'eigenvector_size', 'k') },
  glrm: { archetypes: (info) => 8 * product(info, 'nrowY', 'ncolY') },
  coxph: {
    x_mean_cat: (info) => 8 * product(info, 'x_mean_cat_size1', 'x_mean_cat_size2'),
    x_mean_num: (info) => 8 * product(info, 'x_mean_num_size1', 'x_mean_num_size2'),
  },
  gam: {
    knots: (info) => 8 * splines(info, (knots) => knots),
    zTranspose: (info) => 8 * splines(info, (knots) => (knots - 1) * knots),
    _binvD: (info) => 8 * splines(info, (knots) => (knots - 2) * knots),
  },
};

const bytesOf = (source: RandomAccess): Uint8Array => source.read(0, within('H2O tree bytes', source.size, TREE_BYTES));

/** Reads members without a mark of their own, in the order in which they come: a tree before what is known of its nodes. */
export const createBlobs = (budget: Budget) => {
  const inner = new Map<string, number>();
  const readTree = (source: RandomAccess, name: string, { info, prefix }: Model, match: RegExpExecArray): void => {
    const [, group, tree, auxiliary] = match;
    if (Number(group) >= (countOf(info, 'n_trees_per_class') ?? 0)) invalid('a tree is of no class');
    if (Number(tree) >= (countOf(info, 'n_trees') ?? 0)) invalid('a tree is not among those that are counted');
    const own = `${prefix}${name.replace('_aux', '')}`;
    if (auxiliary === undefined) {
      const [version, features] = [Number(info.values.get('mojo_version')), countOf(info, 'n_features') ?? 0];
      inner.set(own, walkTree(bytesOf(source), { features, old: version < 1.2 }, budget));
    } else checkAuxiliary(bytesOf(source), inner.get(own) ?? invalid('nodes are told of no tree'), budget);
  };

  /** True when `name` is a member of a kind that is read here; throws when it is not as it must be. */
  return (source: RandomAccess, name: string, model: Model): boolean => {
    const { algorithm, info } = model;
    const match = TREES.has(algorithm) ? TREE.exec(name) : null;
    const isolation = algorithm === 'extendedisolationforest' ? ISOLATION_TREE.exec(name) : null;
    const own = NUMBERS[algorithm];
    const numbers = own !== undefined && Object.hasOwn(own, name) ? own[name] : undefined;
    if (match !== null) readTree(source, name, model, match);
    else if (isolation !== null) {
      if (Number(isolation[1]) >= (countOf(info, 'ntrees') ?? 0)) invalid('a tree is not among those that are counted');
      walkIsolationTree(bytesOf(source), countOf(info, 'n_features') ?? 0, budget);
    } else if (numbers !== undefined) {
      if (source.size !== numbers(info)) invalid('it has another size than the model says');
    } else if (CALIBRATED.has(algorithm) && /^calib\/thresholds_[xy]$/.test(name)) checkThresholds(source);
    else return false;
    checkNumbers(source);
    return true;
  };
};

/** A count and as many doubles, all in big-endian order. */
const checkThresholds = (source: RandomAccess): void => {
  const bytes = source.read(0, Math.min(4, source.size));
  const count = bytes.reduce((value, byte) => value * 256 + byte, 0);
  if (source.size !== 4 + 8 * count || count === 0) invalid('thresholds are not as many as they say');
};

/** No loader looks at these bytes as anything but numbers, but no model has such numbers either. */
const checkNumbers = (source: RandomAccess): void => {
  const head = source.read(0, Math.min(4, source.size));
  const kind = JAVA.every((byte, index) => head[index] === byte) ? 'a Java object' : disguiseOf(source);
  if (kind !== undefined) invalid(`its bytes are ${kind}`);
};
