import { bytes } from '../../support/reports.ts';
import type { Samples } from './types.ts';

const little = (value: number, width: 4 | 8): Uint8Array => {
  const out = Buffer.alloc(8);
  out.writeBigInt64LE(BigInt(value));
  return new Uint8Array(out.subarray(0, width));
};
const u32 = (...values: readonly number[]): Uint8Array => bytes(...values.map((value) => little(value, 4)));
const u64 = (...values: readonly number[]): Uint8Array => bytes(...values.map((value) => little(value, 8)));

type Json = number | string | readonly Json[] | { readonly [key: string]: Json };
const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
/** Universal Binary JSON, with big-endian numbers. */
const ubjson = (value: Json): Uint8Array => {
  if (typeof value === 'number') return bytes('l', little(value, 4).reverse());
  if (typeof value === 'string') return bytes('Si', [value.length], value);
  if (isList(value)) return bytes('[', ...value.map(ubjson), ']');
  const pairs = Object.entries(value).map(([key, item]) => bytes('i', [key.length], key, ubjson(item)));
  return bytes('{', ...pairs, '}');
};
const booster = ({ left = -1, right = -1, name = 'gbtree', objective = 'reg:squarederror' } = {}): Json => ({
  learner: {
    learner_model_param: { num_feature: '1' },
    objective: { name: objective },
    gradient_booster: {
      name,
      model: {
        trees: [
          {
            tree_param: { num_nodes: '1' },
            left_children: [left],
            right_children: [right],
            parents: [2147483647],
            split_indices: [0],
          },
        ],
      },
    },
  },
});

/** What whisper.cpp calls a detector: a name, a version, one layer, a tensor without dimensions. */
const detector = (layers = 1): Uint8Array =>
  bytes(
    u32(0x67676d6c, 10),
    'silero-16k',
    u32(6, 2, 0, 512, 64, layers, 129, 128, 3, 128, 128, 128, 1),
    u32(0, 4, 0),
    'bias',
    new Uint8Array(4),
  );

const lightgbm = ({ child = '-1 -2', features = 1, leaves = 2 } = {}): Uint8Array =>
  bytes(
    [
      'tree',
      'version=v4',
      'num_class=1',
      'num_tree_per_iteration=1',
      `max_feature_idx=${features - 1}`,
      'feature_names=a',
      'feature_infos=[0:1]',
      '',
      'Tree=0',
      `num_leaves=${leaves}`,
      'num_cat=0',
      'split_feature=0',
      'threshold=0.5',
      `left_child=${child.split(' ')[0]}`,
      `right_child=${child.split(' ')[1]}`,
      'leaf_value=0.1 0.2',
      '',
      'end of trees',
      '',
    ].join('\n'),
  );

/** A LoRA adapter as llama.cpp kept it before GGUF: one tensor, aligned to 32 bytes. */
const ggla = ({ version = 1, type = 0, elements = 4 } = {}): Uint8Array => {
  const head = bytes('algg', u32(version, 8, 16), u32(1, 1, type, elements), 'w');
  return bytes(head, new Uint8Array((32 - (head.length % 32)) % 32), new Uint8Array(16));
};

const mxnet = ({ type = 0, size = 4, names = 1 } = {}): Uint8Array =>
  bytes(
    u64(0x112, 0, 1),
    bytes([0xc9, 0xfa, 0x93, 0xf9], u32(0, 1), u64(size), u32(1, 0, type), new Uint8Array(16)),
    u64(names, 1),
    'w',
  );

export const boostingSamples: readonly Samples[] = [
  {
    format: 'xgboost-ubj',
    accept: {
      'a tree of one leaf': () => ubjson(booster()),
      'a snapshot': () => ubjson({ Config: { learner: {} }, Model: booster() }),
    },
    reject: {
      'a snapshot with a tree that goes round': () => ubjson({ Config: {}, Model: booster({ left: 0, right: 0 }) }),
      'a tree that goes round': () => ubjson(booster({ left: 0, right: 0 })),
      'a child that does not exist': () => ubjson(booster({ left: 7, right: 8 })),
      'a booster of its own': () => ubjson(booster({ name: 'evil' })),
      'bytes behind the model': () => bytes(ubjson(booster()), 'x'),
    },
  },
  {
    format: 'lightgbm',
    accept: { 'a tree of two leaves': () => lightgbm() },
    reject: {
      'a split that leads back': () => lightgbm({ child: '0 -2' }),
      'a leaf that does not exist': () => lightgbm({ child: '-1 -9' }),
      'more leaves than values': () => lightgbm({ leaves: 100 }),
      'features without names': () => lightgbm({ features: 5 }),
    },
    cuts: 'what stands behind the trees does not steer a prediction',
  },
  {
    format: 'ggml',
    accept: { 'an adapter': () => ggla(), 'a detector of speech': () => detector() },
    reject: {
      'an unknown version': () => ggla({ version: 9 }),
      'an unknown type': () => ggla({ type: 99 }),
      'a detector with more layers than bytes': () => detector(60),
      'a tensor beyond the file': () => ggla({ elements: 1 << 20 }),
    },
    cuts: 'a file may end behind any tensor',
  },
  {
    format: 'mxnet-params',
    accept: { 'an array': () => mxnet() },
    reject: {
      'an unknown type': () => mxnet({ type: 99 }),
      'an array beyond the file': () => mxnet({ size: 1 << 20 }),
      'another number of names': () => mxnet({ names: 2 }),
      'bytes behind the names': () => bytes(mxnet(), 'x'),
    },
  },
  {
    format: 'engine',
    never: 'what compiled code does cannot be read from it',
    accept: {},
    reject: {
      TensorRT: () => bytes('ptrt', new Uint8Array(60)),
      RKNN: () => bytes('RKNN', new Uint8Array(60)),
      Kaldi: () => bytes([0], 'B<Nnet', new Uint8Array(60)),
    },
  },
];
