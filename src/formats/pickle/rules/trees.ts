import type { BuildRule, CallRule } from '../allowed/types.ts';
import { countOf, entriesOf, lookup } from '../values.ts';
import { type ArrayValue, arrayBytes, arrayOf, type ElementType } from './numpy.ts';

/** Marks of a leaf in the child arrays of scikit-learn's trees (sklearn/tree/_tree.pyx). */
const LEAF = -1;

/** Nodes whose indices are checked; a forest's largest trees have some hundred thousand. */
const MAX_NODES = 5_000_000;

type Field = { readonly offset: number; readonly type: ElementType };

const fieldOf = (array: Pick<ArrayValue, 'type'>, name: string): Field | undefined =>
  array.type.fields.find((field) => field.name === name);

const integerAt = (view: DataView, at: number, { type }: Field): number => {
  const little = type.byteOrder === 'little';
  if (type.code === 'i8') return Number(view.getBigInt64(at, little));
  if (type.code === 'i4') return view.getInt32(at, little);
  if (type.code === 'u4') return view.getUint32(at, little);
  return type.code === 'u1' || type.code === 'b1' ? view.getUint8(at) : Number.NaN;
};

/** `Tree(n_features, n_classes, n_outputs)`. */
export const tree: CallRule = ({ args }) => {
  const [features, classes, outputs] = args;
  if (args.length !== 3 || countOf(features) === undefined || countOf(outputs) === undefined) return 'it takes counts';
  return classes?.kind === 'call' ? undefined : 'its number of classes is no array';
};

/**
 * The state of a Tree: its nodes are followed by index at prediction without a check, so each child must be a node
 * behind its parent and each feature one of the tree's (scikit-learn itself does not check).
 */
export const treeState: BuildRule = (call, state, { bytes }) => {
  if (state.kind !== 'dict') return 'the state of a tree is not a dict';
  const nodes = arrayOf(lookup(state, 'nodes'));
  const values = arrayOf(lookup(state, 'values'));
  const features = countOf(call.args[0]) ?? 0;
  const count = countOf(lookup(state, 'node_count'));
  if (nodes === undefined || values === undefined || count === undefined) return 'a tree has no nodes or values';
  if (nodes.shape.length !== 1 || nodes.shape[0] !== count || values.shape[0] !== count)
    return 'a tree has another number of nodes than it says';
  return wrongNodes(nodes.type, arrayBytes(nodes, bytes), count, features);
};

/** What is wrong with the nodes of a tree, `count` records of `type` in `data`; nothing when every index leads on. */
export const wrongNodes = (
  type: ElementType,
  data: Uint8Array | undefined,
  count: number,
  features: number,
): string | undefined => {
  const left = fieldOf({ type }, 'left_child');
  const right = fieldOf({ type }, 'right_child');
  const feature = fieldOf({ type }, 'feature');
  if (left === undefined || right === undefined || feature === undefined || data === undefined)
    return 'the nodes of a tree are not those of scikit-learn';
  if (count > MAX_NODES) return `a tree has over ${MAX_NODES} nodes`;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  for (let node = 0; node < count; node++) {
    const at = node * type.size;
    const a = integerAt(view, at + left.offset, left);
    const b = integerAt(view, at + right.offset, right);
    if (a === LEAF && b === LEAF) continue;
    if (!(a > node && a < count && b > node && b < count)) return `node ${node} of a tree points outside it`;
    const used = integerAt(view, at + feature.offset, feature);
    if (!(used >= 0 && used < features)) return `node ${node} of a tree asks for a feature that does not exist`;
  }
  return undefined;
};

/** The state of a TreePredictor of histogram gradient boosting, whose nodes carry their own leaf mark. */
export const predictorState: BuildRule = (_, state, { bytes }) => {
  const nodes = arrayOf(lookup(state, 'nodes'));
  const entries = entriesOf(state);
  if (nodes === undefined || entries === undefined || nodes.shape.length !== 1) return 'a predictor has no nodes';
  const left = fieldOf(nodes, 'left');
  const right = fieldOf(nodes, 'right');
  const leaf = fieldOf(nodes, 'is_leaf');
  const data = arrayBytes(nodes, bytes);
  const count = nodes.shape[0] ?? 0;
  if (left === undefined || right === undefined || leaf === undefined || data === undefined || count > MAX_NODES)
    return 'the nodes of a predictor are not those of scikit-learn';
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  for (let node = 0; node < count; node++) {
    const at = node * nodes.type.size;
    if (integerAt(view, at + leaf.offset, leaf) === 1) continue;
    const children = [integerAt(view, at + left.offset, left), integerAt(view, at + right.offset, right)];
    if (!children.every((child) => child > node && child < count))
      return `node ${node} of a predictor points outside it`;
  }
  return undefined;
};
