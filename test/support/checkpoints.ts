import { assemble, op, type Piece } from './pickle-assembler.ts';
import { checkpoint, dict, type Storage, tensor } from './torch-writer.ts';

/** A tensor of a checkpoint; its bytes go to a storage of their own. */
export type TorchTensor = { readonly storage: string; readonly shape: readonly number[]; readonly data: Uint8Array };

const WIDTHS: Readonly<Record<string, number>> = { FloatStorage: 4, LongStorage: 8, HalfStorage: 2, ByteStorage: 1 };

/**
 * A state dict as torch.save writes it. `before` is put in the pickle ahead of the dict, for what a hostile writer would
 * add.
 */
export const torchZip = (tensors: Readonly<Record<string, TorchTensor>>, before: readonly Piece[] = []): Uint8Array => {
  const entries = Object.entries(tensors).map(([name, { storage: type, shape, data }], index) => {
    const elements = data.length / (WIDTHS[type] ?? 1);
    const storage: Storage = { key: String(index), type, elements, bytes: data };
    return { name, storage, view: tensor({ storage, shape }) };
  });
  const root = dict(entries.map(({ name, view }) => [name, view]));
  return checkpoint(
    assemble(before, root),
    entries.map(({ storage }) => storage),
  );
};

/** A call of `os.system` with a harmless word, if anybody unpickled it. Nobody here does. */
export const systemCall = (): readonly Piece[] => [
  op.global('os', 'system'),
  op.binunicode('true'),
  op.tuple1(),
  op.reduce(),
  op.pop(),
];
