import { type Flat, flatBuffer, table, tables } from '../../support/flatbuffer-writer.ts';
import { f32 } from '../../support/little-writer.ts';
import { bytes } from '../../support/reports.ts';
import { writeZip } from '../../support/zip-writer.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

type Program = {
  readonly target?: string;
  readonly expression?: string;
  readonly guard?: string;
  readonly weight?: Uint8Array;
  readonly pickled?: boolean;
  readonly more?: Readonly<Record<string, Uint8Array | string>>;
};

/** An archive of `torch.export.save`: one node, one weight of two floats. */
const exported = (program: Program = {}): Uint8Array => {
  const { target = 'torch.ops.aten.add.Tensor', weight = f32(1, 2), pickled = false, more = {} } = program;
  const { expression = "Mul(Integer(2), Symbol('s77', integer=True))", guard = "L['x'].size()[0] <= 2*s77" } = program;
  const graph = {
    graph_module: { graph: { nodes: [{ target, inputs: [], outputs: [], metadata: {} }] } },
    range_constraints: { s77: { min_val: 0, max_val: 10, size: { as_expr: { expr_str: expression, hint: null } } } },
    guards_code: [guard],
  };
  const count = (value: number) => ({ as_int: value });
  const tensor_meta = { dtype: 7, sizes: [count(2)], strides: [count(1)], storage_offset: count(0) };
  const config = {
    config: { 'linear.bias': { path_name: 'weight_0', is_param: true, use_pickle: pickled, tensor_meta } },
  };
  const members = {
    archive_format: 'pt2',
    archive_version: '0',
    'models/model.json': JSON.stringify(graph),
    'data/weights/weight_0': weight,
    'data/weights/model_weights_config.json': JSON.stringify(config),
    ...more,
  };
  return new Uint8Array(writeZip(Object.entries(members).map(([name, data]) => ({ name: `model/${name}`, data }))));
};

type Executed = {
  readonly operator?: string;
  readonly index?: number;
  readonly values?: readonly number[];
  readonly constant?: number;
  readonly delegates?: Flat;
};
/** A program of one method with two tensors, one operator and one instruction. */
const executed = ({
  operator = 'aten::add',
  index = 0,
  values = [0, 1],
  constant = 0,
  delegates,
}: Executed = {}): Uint8Array => {
  const value = table({ 0: 5, 1: table({ 0: 6, 2: { integers: [2] }, 5: constant }) });
  const instruction = table({ 0: 1, 1: table({ 0: index, 1: { integers: values } }) });
  const plan = table({
    0: 'forward',
    2: tables(value, value),
    3: { integers: [0] },
    4: { integers: [1] },
    5: tables(table({ 2: tables(instruction) })),
    6: tables(table({ 0: operator, 1: 'out' })),
    ...(delegates === undefined ? {} : { 7: delegates }),
  });
  return flatBuffer('ET12', table({ 0: 0, 1: tables(plan) }));
};

/** Programs that PyTorch exports, and those that its mobile runtime executes. */
export const exportedSamples: readonly Samples[] = [
  {
    format: 'torch-export',
    accept: {
      'a sum': () => exported(),
      'an operator of Python': () => exported({ target: '_operator.getitem', expression: 's0 + 2*s1**2' }),
    },
    reject: {
      'an expression that runs code': () => exported({ expression: "__import__('os').system('true')" }),
      'an expression that reaches into a class': () => exported({ expression: 'Integer.__base__' }),
      'an expression without end': () => exported({ expression: '9**9**9**9' }),
      'a guard that runs code': () => exported({ guard: "__import__('os').system('true')" }),
      'a guard that closes its call': () => exported({ guard: "L['x'].size()[0] == 2, 'x'); import os; os.system(" }),
      'a function of the interpreter': () => exported({ target: 'torch.os.system' }),
      'a loader': () => exported({ target: 'torch.ops.aten.from_file.default' }),
      'an operator of a library of its own': () => exported({ target: 'torch.ops.evil.run.default' }),
      'a weight with fewer bytes than it needs': () => exported({ weight: f32(1) }),
      'a weight that is a pickle': () => exported({ weight: hostilePickle, pickled: true }),
      'a compiled library': () =>
        exported({ more: { 'data/aotinductor/model/model.so': bytes([0x7f], 'ELF', new Uint8Array(64)) } }),
      'inputs that run': () => exported({ more: { 'data/sample_inputs/model.pt': hostilePickle } }),
      'an older program that runs code': () =>
        new Uint8Array(
          writeZip([
            { name: 'version', data: '8.8' },
            { name: 'serialized_exported_program.json', data: JSON.stringify({ expr_str: 'exec("")' }) },
          ]),
        ),
    },
  },
  {
    format: 'executorch',
    accept: { 'a sum': () => executed() },
    reject: {
      'a part compiled for a device': () => executed({ delegates: tables(table({ 0: 'QnnBackend' })) }),
      'an operator of a library of its own': () => executed({ operator: 'evil::run' }),
      'an operator that reads files': () => executed({ operator: 'aten::from_file' }),
      'an operator that does not exist': () => executed({ index: 3 }),
      'a value that does not exist': () => executed({ values: [0, 9] }),
      'constants that do not exist': () => executed({ constant: 7 }),
      'bytes behind the program': () => bytes(executed(), new Uint8Array(5000), hostilePickle),
    },
    cuts: 'padding may follow the last table',
  },
];
