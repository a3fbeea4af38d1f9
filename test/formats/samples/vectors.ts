import { flatBuffer, table, tables } from '../../support/flatbuffer-writer.ts';
import { f32, f64, u16, u32, u64 } from '../../support/little-writer.ts';
import { bytes } from '../../support/reports.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

type Trees = {
  readonly split?: number;
  readonly start?: number;
  readonly leaves?: readonly number[];
  readonly part?: string;
  readonly behind?: Uint8Array;
  readonly nodes?: readonly number[];
};

/** A model of one feature, one border and one tree: symmetric, or of nodes when they are given. */
const catboost = ({ split = 0, start = 0, leaves = [1, 2], part, behind = bytes(), nodes }: Trees = {}): Uint8Array => {
  const splits = nodes === undefined ? [split] : nodes.map(() => 0);
  const trees = table({
    0: 1,
    1: { integers: splits },
    2: { integers: [splits.length] },
    3: { integers: [start] },
    5: tables(table({ 1: 0, 2: 0, 3: { integers: [0x3f000000] } })),
    8: { doubles: leaves },
    ...(nodes === undefined ? {} : { 10: { integers: nodes }, 11: { integers: [0xffffffff, 0, 1] } }),
  });
  const core = flatBuffer(
    '\0\0\0\0',
    table({ 0: 'FlabuffersModel_v1', 1: trees, ...(part === undefined ? {} : { 3: { texts: [part] } }) }),
  );
  return bytes('CBM1', u32(core.length), core, behind);
};
const statistics = (place: number): Uint8Array => {
  const counts = flatBuffer('\0\0\0\0', table({ 1: bytes(u64(7), u32(place)), 2: u32(1, 2) }));
  return bytes(u32(1, counts.length), counts);
};

type Index = { readonly neighbour?: number; readonly entry?: number; readonly level?: number; readonly above?: number };
/** Two vectors of two dimensions that are neighbours; the first stands one level above. */
const hnsw = ({ neighbour = 1, entry = 0, level = 1, above = 0 }: Index = {}): Uint8Array => {
  const header = bytes(u64(0, 4, 2, 28, 20, 12), u32(level, entry), u64(1, 2, 1), f64(1), u64(10));
  const element = (other: number): Uint8Array => bytes(u16(1, 0), u32(other, 0), f32(1, 2), u64(other));
  return bytes(header, element(neighbour), element(0), u32(8), u16(above, 0), u32(1), u32(0));
};

type Boosted = {
  readonly left?: number;
  readonly feature?: number;
  readonly nodes?: number;
  readonly booster?: string;
};
const named = (text: string): Uint8Array => bytes(u64(text.length), text);
/** One tree of three nodes over one feature, with one attribute. */
const xgboost = ({ left = 1, feature = 0, nodes = 3, booster = 'gbtree' }: Boosted = {}): Uint8Array => {
  const learner = bytes(f32(0.5), u32(1, 0, 1, 0, 1, 7), new Uint8Array(108));
  const node = (l: number, r: number): Uint8Array => u32(0, l >>> 0, r >>> 0, feature, 0);
  const tree = bytes(u32(1, nodes), new Uint8Array(140), node(left, 2), node(-1, -1), node(-1, -1), new Uint8Array(48));
  const forest = bytes(u32(1), new Uint8Array(156), tree, u32(0));
  return bytes('binf', learner, named('reg:squarederror'), named(booster), forest, u64(1), named('a'), named('b'));
};

/** Models of trees and stores of vectors, whose readers follow numbers of the file without looking. */
export const vectorSamples: readonly Samples[] = [
  {
    format: 'catboost',
    accept: {
      'a tree': () => catboost(),
      'a tree of nodes': () => catboost({ nodes: [0x20001, 0, 0] }),
      'statistics of categories': () => catboost({ part: 'static_provider_v1', behind: statistics(1) }),
    },
    reject: {
      'a split that does not exist': () => catboost({ split: 1 }),
      'a tree beyond its splits': () => catboost({ start: 1 }),
      'fewer leaves than the tree has': () => catboost({ leaves: [1] }),
      'a node that leads out of its tree': () => catboost({ nodes: [0x90001, 0, 0] }),
      'statistics that do not exist': () => catboost({ part: 'static_provider_v1', behind: statistics(9) }),
      'a part that is not read': () => catboost({ part: 'text_processing_v1', behind: hostilePickle }),
      'bytes behind the model': () => catboost({ behind: hostilePickle }),
    },
  },
  {
    format: 'xgboost-binary',
    accept: { 'a tree': () => xgboost() },
    reject: {
      'a child that does not exist': () => xgboost({ left: 9 }),
      'a node that is its own child': () => xgboost({ left: 0 }),
      'a feature that does not exist': () => xgboost({ feature: 5 }),
      'more nodes than bytes': () => xgboost({ nodes: 1 << 20 }),
      'a booster that is not known': () => xgboost({ booster: 'evil' }),
      'bytes behind the model': () => bytes(xgboost(), hostilePickle),
    },
  },
  {
    format: 'hnswlib',
    accept: { 'two vectors': () => hnsw() },
    reject: {
      'a neighbour that does not exist': () => hnsw({ neighbour: 7 }),
      'a neighbour above that does not exist': () => hnsw({ above: 2 }),
      'an entry on a lower level': () => hnsw({ entry: 1 }),
      'levels that do not exist': () => hnsw({ level: 0 }),
      'bytes behind the index': () => bytes(hnsw(), hostilePickle),
    },
  },
];
