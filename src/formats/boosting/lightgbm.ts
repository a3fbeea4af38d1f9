import { MIB, within } from '../../bytes/limits.ts';
import { createOffsets } from '../../bytes/utf8.ts';
import { WeighbridgeError } from '../../errors.ts';
import { complete, type Format, type Inspection, printable } from '../format.ts';
import { headText, wholeText } from '../text/decode.ts';

/** Bytes of one model: thousands of trees as text. */
const SIZE = 128 * MIB;
/** Leaves of one tree: LightGBM's own limit of `num_leaves`. */
const LEAVES = 131_072;
/** Classes, and trees of one iteration. */
const CLASSES = 100_000;
/** Features of a model; the widest text models have some millions. */
const FEATURES = 10_000_000;
/** Trees of a model. */
const TREES = 1_000_000;

/** Arrays of a tree by whether they have a value for each leaf or for each split (src/io/tree.cpp). */
const BY_LEAF = ['leaf_value', 'leaf_weight', 'leaf_count', 'leaf_const', 'num_features'];
const BY_SPLIT = [
  ...['split_feature', 'split_gain', 'threshold', 'decision_type', 'left_child', 'right_child'],
  ...['internal_value', 'internal_weight', 'internal_count'],
];

type Block = { readonly at: number; readonly fields: ReadonlyMap<string, string> };

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `LightGBM: ${message}`, { offset });
};

/** LightGBM models as text: a header, then trees, each a block of `name=values`. */
export const lightgbm: Format = {
  name: 'lightgbm',
  title: 'LightGBM model (text)',
  begins: [0x74, 0xef, 0xfe, 0xff],
  recognisedBy: 'text whose first line is `tree` and whose second begins with `version=v`',
  checks:
    'counts within limits and equal to the values that follow; every feature and child index exists; trees begin where the sizes say',
  references: ['https://github.com/microsoft/LightGBM/blob/master/src/io/tree.cpp', 'CVE-2024-43598'],
  // A byte order mark, or a t.
  recognise: (head, source) => /^tree\r?\nversion=v[0-9]/.test(headText(head.subarray(0, 64), source.size) ?? ''),
  inspect(source, context): Inspection {
    const text = wholeText(source, SIZE);
    context.budget.spend('steps', text.length >> 2);
    const offsetOf = createOffsets(text);
    const [header, ...trees] = blocksOf(text);
    if (header === undefined) return invalid('no header', 0);
    const features = checkHeader(header);
    for (const tree of trees) checkTree(tree, features);
    checkSizes(
      header,
      trees.map(({ at }) => offsetOf(at)),
    );
    return {
      format: 'lightgbm',
      content: 'inert',
      coverage: complete(source.size),
      details: { trees: trees.length, features },
    };
  },
};

const blocksOf = (text: string): readonly Block[] => {
  const starts = [0];
  for (let at = text.indexOf('\nTree='); at >= 0; at = text.indexOf('\nTree=', at + 1)) starts.push(at + 1);
  within('LightGBM trees', starts.length, TREES);
  return starts.map((at, index) => ({ at, fields: fieldsOf(text.slice(at, endOf(text, at, starts[index + 1]))) }));
};

/** The last tree ends where the importances and parameters begin; nothing there steers a prediction. */
const endOf = (text: string, at: number, next: number | undefined): number => {
  if (next !== undefined) return next;
  const end = text.indexOf('\nend of trees', at);
  return end < 0 ? text.length : end;
};

const fieldsOf = (block: string): ReadonlyMap<string, string> => {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0 && !fields.has(line.slice(0, equals)))
      fields.set(line.slice(0, equals), line.slice(equals + 1).trim());
  }
  return fields;
};

const countOf = ({ at, fields }: Block, name: string, limit: number): number => {
  const value = fields.get(name) ?? '';
  if (!/^[0-9]{1,15}$/.test(value)) invalid(`${name} is no count: ${printable(value, 40)}`, at);
  return within(`LightGBM ${name}`, Number(value), limit);
};

const listOf = (block: Block, name: string): readonly string[] => {
  const value = block.fields.get(name);
  return value === undefined || value === '' ? [] : value.split(' ');
};

/** Returns how many features the model has. */
const checkHeader = (header: Block): number => {
  countOf(header, 'num_class', CLASSES);
  if (header.fields.has('num_tree_per_iteration')) countOf(header, 'num_tree_per_iteration', CLASSES);
  const features = countOf(header, 'max_feature_idx', FEATURES) + 1;
  for (const name of ['feature_names', 'feature_infos']) {
    if (listOf(header, name).length !== features) invalid(`${name} does not have ${features} entries`, header.at);
  }
  return features;
};

const checkTree = (tree: Block, features: number): void => {
  const leaves = countOf(tree, 'num_leaves', LEAVES);
  if (leaves === 0) invalid('a tree without leaves', tree.at);
  const categories = tree.fields.has('num_cat') ? countOf(tree, 'num_cat', LEAVES) : 0;
  const expect = (name: string, count: number): void => {
    if (tree.fields.has(name) && listOf(tree, name).length !== count)
      invalid(`${name} does not have ${count} values`, tree.at);
  };
  for (const name of BY_LEAF) expect(name, leaves);
  for (const name of BY_SPLIT) expect(name, leaves - 1);
  if (categories > 0) expect('cat_boundaries', categories + 1);
  for (const feature of listOf(tree, 'split_feature')) expectWithin(feature, 0, features - 1, tree.at);
  // A child is a later split, or a leaf as -1 - index: so no walk can go round.
  for (const side of ['left_child', 'right_child'])
    listOf(tree, side).forEach((child, split) => {
      expectWithin(child, -leaves, leaves - 2, tree.at);
      if (Number(child) >= 0 && Number(child) <= split) invalid('a split leads back', tree.at);
    });
};

const expectWithin = (value: string, least: number, most: number, at: number): void => {
  if (!/^-?[0-9]{1,9}$/.test(value) || Number(value) < least || Number(value) > most)
    invalid(`an index leads nowhere: ${printable(value, 40)}`, at);
};

/** The reader jumps to each tree by the sizes of those before it. */
const checkSizes = (header: Block, starts: readonly number[]): void => {
  const sizes = listOf(header, 'tree_sizes');
  if (sizes.length === 0) return;
  if (sizes.length !== starts.length) invalid(`tree_sizes names ${sizes.length} trees of ${starts.length}`, header.at);
  let expected = starts[0] ?? 0;
  for (const [index, size] of sizes.entries()) {
    if (!/^[0-9]{1,10}$/.test(size)) invalid('a size of a tree is no count', header.at);
    if (starts[index] !== expected) invalid('a tree does not begin where the sizes say', starts[index] ?? 0);
    expected += Number(size);
  }
};
