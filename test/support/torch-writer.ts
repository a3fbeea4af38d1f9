import { assemble, op, type Piece, pickled } from './pickle-assembler.ts';
import { type TarEntry, writeTar } from './tar-writer.ts';
import { writeZip, type ZipEntry, type ZipLies } from './zip-writer.ts';

/** A storage of a checkpoint: what the pickle says of it, and the bytes that are there. */
export type Storage = {
  readonly key: string;
  readonly type: string;
  readonly elements: number;
  readonly bytes: Uint8Array;
};

const int = (value: number): Uint8Array =>
  value < 0 ? op.binint(value) : value < 256 ? op.binint1(value) : op.binint(value);
const str = (value: string): Uint8Array => op.binunicode(value);
const tuple = (...items: readonly Piece[]): Uint8Array => assemble(op.mark(), items, op.tuple());
const ordered = (): Uint8Array => assemble(op.global('collections', 'OrderedDict'), op.emptyTuple(), op.reduce());
const call = (name: string, ...args: readonly Piece[]): Uint8Array =>
  assemble(op.global('torch._utils', name), tuple(...args), op.reduce());

/** The persistent id of a storage, as torch writes it; legacy files have a sixth item. */
const storageId = ({ key, type, elements }: Storage, legacy: boolean, packaged = false): Uint8Array =>
  assemble(
    tuple(
      str('storage'),
      op.global('torch', type),
      packaged ? int(Number(key)) : str(key),
      str('cpu'),
      int(elements),
      ...(legacy ? [op.none()] : []),
    ),
    op.binpersid(),
  );

export type ViewSpec = {
  readonly storage: Storage;
  readonly shape: readonly number[];
  readonly strides?: readonly number[];
  readonly offset?: number;
  /** For `_rebuild_tensor_v3`: the element type. */
  readonly dtype?: string;
  readonly legacy?: boolean;
  /** In a torch.package, whose storages have numbers. */
  readonly packaged?: boolean;
};

/** Row-major strides. */
export const rowMajor = (shape: readonly number[]): readonly number[] =>
  shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * Math.max(1, size), 1));

/** A call that rebuilds a tensor. */
export const tensor = ({
  storage,
  shape,
  strides = rowMajor(shape),
  offset = 0,
  dtype,
  legacy = false,
  packaged = false,
}: ViewSpec): Uint8Array => {
  const view = [
    storageId(storage, legacy, packaged),
    int(offset),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    op.false(),
    ordered(),
  ];
  return dtype === undefined
    ? call('_rebuild_tensor_v2', ...view)
    : call('_rebuild_tensor_v3', ...view, op.global('torch', dtype));
};

export const parameter = (data: Piece): Uint8Array => call('_rebuild_parameter', data, op.true(), ordered());

/** `_rebuild_from_type_v2` of a Parameter over `_rebuild_tensor_v2`. */
export const fromType = ({ storage, shape }: ViewSpec, type = 'Parameter'): Uint8Array => {
  const args = tuple(
    storageId(storage, false),
    int(0),
    tuple(...shape.map(int)),
    tuple(...rowMajor(shape).map(int)),
    op.false(),
    ordered(),
  );
  const made = type === 'Parameter' ? op.global('torch.nn.parameter', type) : op.global('torch', type);
  return assemble(
    op.global('torch._tensor', '_rebuild_from_type_v2'),
    tuple(op.global('torch._utils', '_rebuild_tensor_v2'), made, args, op.emptyDict()),
    op.reduce(),
  );
};

/** A dict of the given entries, keys being text or numbers. */
export const dict = (entries: readonly (readonly [string | number, Piece])[]): Uint8Array =>
  assemble(
    op.emptyDict(),
    op.mark(),
    entries.map(([key, value]) => [typeof key === 'string' ? str(key) : int(key), value]),
    op.setitems(),
  );

export const value = { int, str, tuple, ordered, call, none: op.none, float: op.binfloat };

/** Zip members of a checkpoint in the order in which torch writes them, aligned as it aligns them. */
export const checkpointMembers = (
  root: Piece,
  storages: readonly Storage[],
  { byteOrder = 'little', name = 'archive' } = {},
): ZipEntry[] => [
  { name: `${name}/data.pkl`, data: pickled(2, root), align: 64, descriptor: 16 },
  { name: `${name}/byteorder`, data: byteOrder, align: 64, descriptor: 16 },
  ...storages.map(
    ({ key, bytes }): ZipEntry => ({
      name: `${name}/data/${key}`,
      data: bytes,
      align: 64,
      ...(bytes.length === 0 ? {} : { descriptor: 16 }),
    }),
  ),
  { name: `${name}/version`, data: '3\n', align: 64, descriptor: 16 },
  { name: `${name}/.data/serialization_id`, data: '0'.repeat(40), align: 64, descriptor: 16 },
];

/** A checkpoint as torch.save writes it. */
export const checkpoint = (root: Piece, storages: readonly Storage[], lies: ZipLies = {}): Buffer =>
  writeZip(checkpointMembers(root, storages), { zip64: true, ...lies });

/** A checkpoint as `torch.save` writes it when it was told to leave out checksums. */
export const unsummedMembers = (root: Piece, storages: readonly Storage[]): ZipEntry[] =>
  checkpointMembers(root, storages).map((entry) => ({ ...entry, unsummed: true }));

/** The members of a package as `torch.package` writes it: one pickle, its storages and the records. */
export const packageMembers = (root: Piece, storages: readonly Storage[], more: readonly ZipEntry[] = []): ZipEntry[] =>
  [
    ...storages.map(({ key, bytes }) => ({ name: `p/.data/${key}.storage`, data: bytes })),
    { name: 'p/weights/weights.pkl', data: pickled(3, root) },
    ...more,
    { name: 'p/.data/extern_modules', data: 'torch._utils\ncollections\ntorch\n' },
    { name: 'p/.data/version', data: '6\n' },
    { name: 'p/version', data: '6\n' },
  ].map(
    (entry): ZipEntry => ({ ...entry, align: 64, ...(entry.data?.length === 0 ? {} : { descriptor: 16 as const }) }),
  );

/** A checkpoint in the format from before 1.6. */
export const legacyCheckpoint = (
  root: Piece,
  storages: readonly Storage[],
  { little = true, after = new Uint8Array(0) as Uint8Array } = {},
): Buffer => {
  const magic = pickled(2, op.long1(Buffer.from('6cfc9c46f9206aa85019', 'hex')));
  const system = dict([
    ['protocol_version', int(1001)],
    ['little_endian', little ? op.true() : op.false()],
    [
      'type_sizes',
      dict([
        ['short', int(2)],
        ['int', int(4)],
        ['long', int(4)],
      ]),
    ],
  ]);
  const keys = assemble(
    op.emptyList(),
    op.mark(),
    storages.map(({ key }) => str(key)),
    op.appends(),
  );
  const raw = storages.map(({ elements, bytes }) => {
    const count = Buffer.alloc(8);
    count.writeBigUInt64LE(BigInt(elements));
    return Buffer.concat([count, bytes]);
  });
  return Buffer.concat([
    magic,
    pickled(2, int(1001)),
    pickled(2, system),
    pickled(2, root),
    pickled(2, keys),
    ...raw,
    after,
  ]);
};

/** A tensor of a checkpoint in a tar: the key by which the pickle names it, and the view that it is. */
export type TarTensor = { readonly key: number; readonly storage: number; readonly view: Omit<ViewSpec, 'storage'> };
/** What a checkpoint in a tar may lie about. */
type TarLies = {
  readonly views?: readonly (readonly [target: number, root: number, offset: number, elements: number])[];
  readonly count?: number;
  readonly behind?: Uint8Array;
  readonly more?: readonly TarEntry[];
};

const int64 = (numbers: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(8 * numbers.length);
  for (const [i, number] of numbers.entries()) bytes.writeBigInt64LE(BigInt(number), 8 * i);
  return bytes;
};

/** The persistent id by which the pickle of a checkpoint in a tar names a tensor or storage. */
export const tarObject = (key: number): Uint8Array => assemble(str(String(key)), op.binpersid());

/** A checkpoint in the form from before 0.1.10. Keys of storages are numbers. */
export const tarCheckpoint = (
  root: Piece,
  storages: readonly Storage[],
  tensors: readonly TarTensor[],
  { views = [], count = storages.length, behind = new Uint8Array(0), more = [] }: TarLies = {},
): Buffer => {
  const described = storages.flatMap(({ key, type, elements, bytes }) => [
    pickled(2, tuple(int(Number(key)), str('cpu'), op.global('torch', type))),
    int64([elements]),
    bytes,
  ]);
  const listed = assemble(
    op.emptyList(),
    op.mark(),
    views.map((view) => tuple(...view.map(int))),
    op.appends(),
  );
  const placed = tensors.flatMap(({ key, storage, view: { shape, strides = rowMajor(shape), offset = 0 } }) => {
    const dimensions = Buffer.alloc(8);
    dimensions.writeInt32LE(shape.length);
    const named = pickled(2, tuple(int(key), int(storage), op.global('torch', 'FloatTensor')));
    return [named, dimensions, int64(shape), int64(strides), int64([offset])];
  });
  const system = dict([
    ['protocol_version', int(1000)],
    ['little_endian', op.true()],
  ]);
  return writeTar([
    { name: 'sys_info', data: pickled(2, system) },
    { name: 'pickle', data: pickled(2, root) },
    { name: 'tensors', data: Buffer.concat([pickled(2, int(tensors.length)), ...placed]) },
    { name: 'storages', data: Buffer.concat([pickled(2, int(count)), ...described, pickled(2, listed), behind]) },
    ...more,
  ]);
};
