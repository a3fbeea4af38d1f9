import { op, type Piece, pickled } from './pickle-assembler.ts';
import { writeZip } from './zip-writer.ts';

/** A tensor of a checkpoint; its bytes go to a storage of their own. */
export type TorchTensor = { readonly storage: string; readonly shape: readonly number[]; readonly data: Uint8Array };

const WIDTHS: Readonly<Record<string, number>> = { FloatStorage: 4, LongStorage: 8, HalfStorage: 2, ByteStorage: 1 };

const integer = (value: number): Uint8Array => (value < 256 ? op.binint1(value) : op.binint(value));
const tuple = (values: readonly number[]): Piece => [op.mark(), values.map(integer), op.tuple()];

/**
 * A checkpoint as torch.save writes it: a zip of `data.pkl`, `version` and one stored member for each tensor's storage.
 * `before` is put in the pickle ahead of the state dict, for what a hostile writer would add.
 */
export const torchZip = (tensors: Readonly<Record<string, TorchTensor>>, before: readonly Piece[] = []): Uint8Array => {
  const entries = Object.entries(tensors);
  const items = entries.map(([name, { storage, shape, data }], index): Piece => {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    return [
      op.binunicode(name),
      op.global('torch._utils', '_rebuild_tensor_v2'),
      op.mark(),
      op.mark(),
      op.binunicode('storage'),
      op.global('torch', storage),
      op.binunicode(String(index)),
      op.binunicode('cpu'),
      integer(data.length / (WIDTHS[storage] ?? 1)),
      op.tuple(),
      op.binpersid(),
      integer(0),
      tuple(shape),
      tuple(strides),
      op.false(),
      op.global('collections', 'OrderedDict'),
      op.emptyTuple(),
      op.reduce(),
      op.tuple(),
      op.reduce(),
    ];
  });
  const dict = [op.global('collections', 'OrderedDict'), op.emptyTuple(), op.reduce(), op.mark(), items, op.setitems()];
  return new Uint8Array(
    writeZip([
      { name: 'archive/data.pkl', data: pickled(2, before, dict), align: 64 },
      { name: 'archive/byteorder', data: 'little', align: 64 },
      ...entries.map(([, { data }], index) => ({ name: `archive/data/${index}`, data, align: 64 })),
      { name: 'archive/version', data: '3\n', align: 64 },
    ]),
  );
};

/** Calls `os.system` with a harmless word, as far as anybody who unpickled it would get. Nobody here does. */
export const systemCall = (): readonly Piece[] => [
  op.global('os', 'system'),
  op.binunicode('true'),
  op.tuple1(),
  op.reduce(),
  op.pop(),
];
