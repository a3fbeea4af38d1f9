import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import { type Budget, within } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';
import { complete, type Format, type Inspection, printable } from '../format.ts';

/** Bytes of the parameters of the learner, of a booster of trees, of one tree, of a linear booster (src/learner.cc, src/gbm). */
const LEARNER = 136;
const FOREST = 160;
const TREE = 148;
const LINEAR = 136;
/** Bytes of a node and of what is known about it (include/xgboost/tree_model.h). */
const NODE = 20;
const STATISTICS = 16;
/** Trees of a model, nodes of a tree. */
const TREES = 1_000_000;
const NODES = 10_000_000;
/** Bytes of a name or an attribute, and how many attributes there are. */
const TEXT = 1024 * 1024;
const TEXTS = 100_000;
/** The feature of a node that was taken out, and the child of a leaf. */
const DELETED = 0xffffffff;
const NONE = -1;

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `XGBoost: ${message}`, { offset });
};

/** Models of XGBoost before JSON became the default, as `save_model` wrote them under any other name. */
export const xgboostBinary: Format = {
  name: 'xgboost-binary',
  title: 'XGBoost model (old binary)',
  begins: [0x62],
  recognisedBy: '`binf` at the start',
  checks:
    'every part in bounds up to the end of the file; nodes, children and features of every tree exist and each node is reached once',
  references: ['https://github.com/dmlc/xgboost/blob/v1.7.6/src/learner.cc', 'CWE-125'],
  recognise: (head) => String.fromCharCode(...head.subarray(0, 4)) === 'binf' && head.subarray(4, 64).includes(0),
  inspect(source, { budget }): Inspection {
    const cursor = createCursor(source, 4);
    cursor.skip(4);
    const features = cursor.u32();
    cursor.skip(4);
    const [attributes, metrics] = [cursor.u32(), cursor.u32()];
    cursor.position = 4 + LEARNER;
    const objective = readText(cursor);
    const booster = readText(cursor);
    const trees = booster === 'gblinear' ? readLinear(cursor) : readForest(cursor, booster, features, budget);
    if (attributes !== 0) readTexts(cursor, 2, budget);
    // Written for this objective by releases before 1.0.
    if (objective === 'count:poisson' && cursor.remaining() > 0) readText(cursor);
    if (metrics !== 0) readTexts(cursor, 1, budget);
    if (cursor.remaining() > 0) invalid('bytes follow the model', cursor.position);
    return {
      format: 'xgboost-binary',
      content: 'inert',
      coverage: complete(source.size),
      details: { trees, features, objective: printable(objective, 80) },
    };
  },
};

const readText = (cursor: Cursor): string =>
  String.fromCharCode(...cursor.bytes(within('XGBoost text bytes', cursor.u64(), TEXT)).subarray(0, 80));

const readTexts = (cursor: Cursor, each: number, budget: Budget): void => {
  const count = within('XGBoost texts', cursor.u64(), TEXTS);
  budget.spend('steps', count);
  for (let index = 0; index < count * each; index++) readText(cursor);
};

const pass = (cursor: Cursor, bytes: number): void => {
  if (bytes > cursor.remaining())
    throw new WeighbridgeError('FORMAT_TRUNCATED', 'XGBoost: a part ends behind the file', { offset: cursor.position });
  cursor.skip(bytes);
};

const readNumbers = (cursor: Cursor): void => {
  const count = cursor.u64();
  if (count > cursor.remaining() / 4) invalid('more numbers than bytes', cursor.position);
  cursor.skip(4 * count);
};

const readLinear = (cursor: Cursor): number => {
  pass(cursor, LINEAR);
  readNumbers(cursor);
  return 0;
};

const readForest = (cursor: Cursor, booster: string, features: number, budget: Budget): number => {
  const at = cursor.position;
  if (booster !== 'gbtree' && booster !== 'dart') invalid('a booster that is not known', at);
  const trees = within('XGBoost trees', cursor.u32(), TREES);
  cursor.position = at;
  pass(cursor, FOREST);
  for (let tree = 0; tree < trees; tree++) readTree(cursor, features, budget);
  pass(cursor, 4 * trees);
  if (booster === 'dart' && trees > 0) readNumbers(cursor);
  return trees;
};

const readTree = (cursor: Cursor, features: number, budget: Budget): void => {
  const at = cursor.position;
  cursor.skip(4);
  const nodes = within('XGBoost nodes', cursor.u32(), NODES);
  cursor.position = at;
  pass(cursor, TREE);
  if (nodes === 0 || nodes * (NODE + STATISTICS) > cursor.remaining()) invalid('more nodes than bytes', at);
  budget.spend('steps', nodes);
  const bytes = cursor.bytes(nodes * NODE);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const reached = new Uint8Array(nodes);
  const waiting = [0];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node < 0 || node >= nodes || reached[node] === 1) invalid('a child that does not exist, or twice', at);
    reached[node] = 1;
    const place = node * NODE;
    const [left, right] = [view.getInt32(place + 4, true), view.getInt32(place + 8, true)];
    const feature = view.getUint32(place + 12, true);
    if (left === NONE && right === NONE) continue;
    if (feature === DELETED || (feature & 0x7fffffff) >= features) invalid('a feature that does not exist', at);
    waiting.push(left, right);
  }
  cursor.skip(nodes * STATISTICS);
};
