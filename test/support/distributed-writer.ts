import { assemble, op, type Piece, pickled } from './pickle-assembler.ts';
import { checkpoint, dict, type Storage, tensor, value } from './torch-writer.ts';

const PACKAGE = 'torch.distributed.checkpoint';

const storage: Storage = { key: '0', type: 'FloatStorage', elements: 6, bytes: new Uint8Array(24).fill(1) };
/** One piece of a tensor, and one other object, as `torch.distributed.checkpoint` hands them to `torch.save`. */
export const tensorPart = (from = storage): Uint8Array => checkpoint(tensor({ storage: from, shape: [2, 3] }), [from]);
export const numberPart = (): Uint8Array => checkpoint(value.int(3), []);

/** An object of a class without arguments, and its state. */
const made = (module: string, name: string, state?: Piece): Uint8Array =>
  assemble(op.global(module, name), op.emptyTuple(), op.newobj(), state === undefined ? [] : [state, op.build()]);

export type SliceSpec = readonly [name: string, offset: number, length: number];

/** The parts that `lengths` cut a file into, from its first byte on. */
export const slicesOf = (name: string, lengths: readonly number[]): readonly SliceSpec[] =>
  lengths.map((length, i) => [name, lengths.slice(0, i).reduce((sum, one) => sum + one, 0), length]);

/** What `_StorageInfo` says of one part, with more attributes when they are given. */
export const storageInfo = ([name, offset, length]: SliceSpec, more: readonly (readonly [string, Piece])[] = []) =>
  made(
    `${PACKAGE}.filesystem`,
    '_StorageInfo',
    dict([['relative_path', value.str(name)], ['offset', op.binint(offset)], ['length', op.binint(length)], ...more]),
  );

/** The index of a distributed checkpoint, `.metadata`, whose parts are given as they stand in the stream. */
export const indexOf = (
  infos: readonly Piece[],
  of: readonly [module: string, name: string] = [`${PACKAGE}.metadata`, 'Metadata'],
  before: readonly Piece[] = [],
): Uint8Array => {
  const key = (i: number) =>
    made(
      `${PACKAGE}.metadata`,
      'MetadataIndex',
      dict([
        ['fqn', value.str(`w${i}`)],
        ['index', op.none()],
      ]),
    );
  const data = assemble(
    op.emptyDict(),
    op.mark(),
    infos.map((info, i) => [key(i), info]),
    op.setitems(),
  );
  const described = dict(infos.map((_, i) => [`w${i}`, made(`${PACKAGE}.metadata`, 'BytesStorageMetadata')]));
  const state = dict([
    ['state_dict_metadata', described],
    ['planner_data', op.none()],
    ['storage_data', data],
  ]);
  return pickled(4, assemble(before, made(...of, state)));
};

/** The same of parts that lie as torch writes them. */
export const checkpointIndexOf = (slices: readonly SliceSpec[]): Uint8Array =>
  indexOf(slices.map((slice) => storageInfo(slice)));
