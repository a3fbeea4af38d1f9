import { createCursor } from '../../bytes/cursor.ts';
import { type RandomAccess, section } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Context, complete, type Format, type Inspection, incomplete } from '../format.ts';
import { eachRecord } from '../numbers.ts';
import {
  type FlatBuffer,
  integersOf,
  openFlatBuffer,
  rootOf,
  scalar,
  stringOf,
  type Table,
  tableOf,
  tablesOf,
  vectorOf,
} from '../tflite/flatbuffer.ts';

/** The name of the format inside the model (catboost/libs/model/model.cpp, CURRENT_CORE_FORMAT_STRING). */
const VERSION = 'FlabuffersModel_v1';
/** The part behind the trees that is read: statistics of categories. */
const CATEGORIES = 'static_provider_v1';
/** Levels of a symmetric tree; CatBoost itself allows 16. */
const LEVELS = 16;
/** Bytes of a place in a hash table: a hash and a number; and the hash of an empty one. */
const BUCKET = 12;
const EMPTY = 0xffffffffffffffffn;

const invalid: (message: string, offset?: number) => never = (message, offset = 0) => {
  throw new WeighbridgeError('FORMAT_INVALID', `CatBoost: ${message}`, { offset });
};

/** CatBoost models (`.cbm`): trees in a FlatBuffer, statistics of categories behind it. */
export const catboost: Format = {
  name: 'catboost',
  title: 'CatBoost model',
  begins: [0x43],
  recognisedBy: '`CBM1` at the start and a binary length behind it',
  checks:
    'every offset and vector inside its bounds; splits, nodes, leaves and statistics that are named exist, no tree leads back; nothing behind the last part; text and embedding processors are not read',
  references: ['https://github.com/catboost/catboost/blob/master/catboost/libs/model/model.cpp', 'CWE-125'],
  recognise: (head) => String.fromCharCode(...head.subarray(0, 4)) === 'CBM1' && head.subarray(4, 64).includes(0),
  inspect(source, context): Inspection {
    const cursor = createCursor(source, 4);
    const size = cursor.u32();
    const start = cursor.position;
    const buffer = openFlatBuffer(section(source, start, start + size), context);
    const core = rootOf(buffer);
    if (stringOf(buffer, core, 0) !== VERSION) invalid('a version that is not known', start);
    const trees = tableOf(buffer, core, 1);
    const count = trees === undefined ? 0 : checkTrees(buffer, trees, context);
    for (const entry of tablesOf(buffer, core, 2)) for (const field of [0, 1]) stringOf(buffer, entry, field);
    const parts = partsOf(buffer, core);
    let end = start + size;
    if (parts[0] === CATEGORIES) end = readCategories(source, end, context);
    const unread = parts.find((part) => part !== CATEGORIES);
    if (unread === undefined && end !== source.size) invalid('bytes follow the model', end);
    return {
      format: 'catboost',
      content: unread === undefined ? 'inert' : 'unknown',
      coverage:
        unread === undefined
          ? complete(source.size)
          : incomplete('partial', end, source.size, 'processors of texts or embeddings are not read'),
      details: { trees: count, parts: parts.length },
    };
  },
};

const partsOf = (buffer: FlatBuffer, core: Table): string[] => {
  const { at, length } = vectorOf(buffer, core, 3, 4);
  if (length > LEVELS) invalid('too many parts', at);
  const cursor = createCursor(buffer.source);
  return Array.from({ length }, (_, index) => {
    const reference = at + 4 * index;
    cursor.position = reference;
    const text = reference + cursor.u32();
    cursor.position = text;
    return String.fromCharCode(...cursor.bytes(Math.min(64, cursor.u32())));
  });
};

/** Splits that the features of a model have: borders of numbers, values of categories. */
const countSplits = (buffer: FlatBuffer, trees: Table): number => {
  let count = 0;
  for (const [field, values] of [
    [5, 3],
    [6, 1],
    [7, 1],
    [13, 3],
  ] as const)
    for (const feature of tablesOf(buffer, trees, field)) count += vectorOf(buffer, feature, values, 4).length;
  return count;
};

const checkTrees = (buffer: FlatBuffer, trees: Table, { budget }: Context): number => {
  const splits = countSplits(buffer, trees);
  const { at, length } = vectorOf(buffer, trees, 1, 4);
  eachRecord(buffer.source, { offset: at, count: length, size: 4 }, budget, (view, place) => {
    const split = view.getUint32(place, true);
    if (split >= splits && !(splits === 0 && split === 0)) invalid('a split that does not exist', at);
  });
  const sizes = integersOf(buffer, trees, 2);
  const starts = integersOf(buffer, trees, 3);
  if (sizes.length !== starts.length) invalid('not as many trees as places', trees.at);
  const approximations = scalar(buffer, trees, 0, 4);
  const leaves = vectorOf(buffer, trees, 8, 8).length;
  const nodes = vectorOf(buffer, trees, 10, 4);
  if (nodes.length > 0) checkNodes(buffer, trees, { sizes, starts, splits: length, leaves, approximations });
  else checkSymmetric({ sizes, starts, splits: length, leaves, approximations }, trees.at);
  const weights = vectorOf(buffer, trees, 9, 8).length;
  if (weights !== 0 && weights * approximations !== leaves) invalid('not as many weights as leaves', trees.at);
  return sizes.length;
};

type Shape = {
  readonly sizes: readonly number[];
  readonly starts: readonly number[];
  readonly splits: number;
  readonly leaves: number;
  readonly approximations: number;
};

const checkSymmetric = ({ sizes, starts, splits, leaves, approximations }: Shape, at: number): void => {
  let needed = 0;
  for (const [index, size] of sizes.entries()) {
    const start = starts[index] ?? -1;
    if (size < 0 || size > LEVELS || start < 0 || start + size > splits) invalid('a tree beyond its splits', at);
    needed += 2 ** size * approximations;
  }
  if (approximations < 1 || needed !== leaves) invalid('trees have another number of leaves', at);
};

/** Trees of nodes: the children of each lie behind it, by differences; where one is missing the node has a leaf. */
const checkNodes = (buffer: FlatBuffer, trees: Table, shape: Shape): void => {
  const { sizes, starts, splits, leaves, approximations } = shape;
  const nodes = vectorOf(buffer, trees, 10, 4);
  const ids = vectorOf(buffer, trees, 11, 4);
  if (nodes.length !== splits || ids.length !== splits) invalid('not as many nodes as splits', nodes.at);
  const { budget } = buffer.context;
  let tree = 0;
  const ends: number[] = [];
  for (const [index, size] of sizes.entries()) {
    if (size < 1 || starts[index] !== (ends.at(-1) ?? 0)) invalid('trees that do not follow each other', trees.at);
    ends.push((starts[index] ?? 0) + size);
  }
  if ((ends.at(-1) ?? 0) !== nodes.length) invalid('nodes of no tree', nodes.at);
  const open = new Uint8Array(nodes.length);
  eachRecord(buffer.source, { offset: nodes.at, count: nodes.length, size: 4 }, budget, (view, at, index) => {
    while (index >= (ends[tree] ?? 0)) tree += 1;
    const [left, right] = [view.getUint16(at, true), view.getUint16(at + 2, true)];
    if (index + Math.max(left, right) >= (ends[tree] ?? 0)) invalid('a node leads out of its tree', nodes.at);
    open[index] = left === 0 || right === 0 ? 1 : 0;
  });
  eachRecord(buffer.source, { offset: ids.at, count: ids.length, size: 4 }, budget, (view, at, index) => {
    const leaf = view.getUint32(at, true);
    if (open[index] === 1 && leaf + approximations > leaves) invalid('a leaf that does not exist', ids.at);
  });
};

/** A count, then tables with their sizes (static_ctr_provider.cpp, ctr_data.fbs): a hash table and the numbers it leads to. */
const readCategories = (source: RandomAccess, start: number, context: Context): number => {
  const cursor = createCursor(source, start);
  const tables = cursor.u32();
  context.budget.spend('steps', tables);
  for (let index = 0; index < tables; index++) {
    const size = cursor.u32();
    const at = cursor.position;
    const buffer = openFlatBuffer(section(source, at, at + size), context);
    const root = rootOf(buffer);
    const buckets = vectorOf(buffer, root, 1, 1);
    const numbers = vectorOf(buffer, root, 2, 1);
    if (buckets.length % BUCKET !== 0) invalid('a hash table of half a bucket', at);
    const places = { offset: buckets.at, count: buckets.length / BUCKET, size: BUCKET };
    eachRecord(buffer.source, places, context.budget, (view, place) => {
      const unused = view.getBigUint64(place, true) === EMPTY;
      if (!unused && (view.getUint32(place + 8, true) + 1) * 4 > numbers.length)
        invalid('statistics that do not exist', at);
    });
    cursor.position = at + size;
  }
  return cursor.position;
};
