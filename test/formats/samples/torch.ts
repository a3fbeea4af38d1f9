import { systemCall } from '../../support/checkpoints.ts';
import { numberPart, tensorPart } from '../../support/distributed-writer.ts';
import { assemble, op, type Piece, pickled } from '../../support/pickle-assembler.ts';
import {
  checkpoint,
  checkpointMembers,
  dict,
  legacyCheckpoint,
  packageMembers,
  type Storage,
  tarCheckpoint,
  tarObject,
  tensor,
  unsummedMembers,
  value,
} from '../../support/torch-writer.ts';
import { writeZip, type ZipEntry } from '../../support/zip-writer.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

const storage: Storage = { key: '0', type: 'FloatStorage', elements: 6, bytes: new Uint8Array(24).fill(1) };
const state = (legacy: boolean): Uint8Array => dict([['w', tensor({ storage, shape: [2, 3], legacy })]]);
const outside = (legacy: boolean): Uint8Array => dict([['w', tensor({ storage, shape: [9, 9], legacy })]]);
const inTar = { key: 11, storage: 0, view: { shape: [2, 3] } };
const tarRoot = dict([['w', tarObject(11)]]);
const calling = (legacy: boolean): Uint8Array => assemble(systemCall(), state(legacy));

const packed = (shape: readonly number[] = [2, 3]): Uint8Array =>
  dict([['w', tensor({ storage, shape, packaged: true })]]);
/** What `torch.package` writes for objects with `__reduce_package__`. */
const reduced = assemble(
  value.tuple(value.str('reduce_package'), value.int(1), op.global('collections', 'OrderedDict'), op.emptyTuple()),
  op.binpersid(),
);

const module = assemble(
  op.global('__torch__', 'Net'),
  op.emptyTuple(),
  op.newobj(),
  dict([['training', op.false()]]),
  op.build(),
);
const script = (expression: string, data: Piece = module, more: readonly ZipEntry[] = []): Uint8Array =>
  writeZip([
    { name: 'm/data.pkl', data: pickled(2, data) },
    {
      name: 'm/code/__torch__.py',
      method: 'deflated',
      data: [
        'class Net(Module):',
        '  __parameters__ = []',
        '  training : bool',
        '  def forward(self: __torch__.Net,',
        '    x: Tensor) -> Tensor:',
        `    _0 = ${expression}`,
        '    return _0',
        '',
      ].join('\n'),
    },
    { name: 'm/constants.pkl', data: pickled(2, op.emptyTuple()) },
    { name: 'm/version', data: '3\n' },
    ...more,
  ]);

/** The same with bytecode for the lite interpreter: one function of one instruction that calls an operator. */
const mobile = (operator: string, instruction = 'OP', types: readonly string[] = []): Uint8Array => {
  const table = (name: string, ...items: readonly Piece[]) => value.tuple(value.str(name), value.tuple(...items));
  const tables = value.tuple(
    table('instructions', value.tuple(value.str(instruction), value.int(0), value.int(0))),
    table('operators', value.tuple(value.str(operator), value.str(''), value.int(2))),
    table('types', ...types.map(value.str)),
    value.tuple(value.str('register_size'), value.int(2)),
  );
  const bytecode = value.tuple(value.int(8), value.tuple(value.str('__torch__.Net.forward'), tables));
  return script('torch.add(x, x)', module, [{ name: 'm/bytecode.pkl', data: pickled(2, bytecode) }]);
};

export const torchSamples: readonly Samples[] = [
  {
    format: 'torch-zip',
    accept: {
      'state dict': () => checkpoint(state(false), [storage]),
      'a checkpoint with its epoch': () =>
        checkpoint(
          dict([
            ['model', state(false)],
            ['epoch', value.int(3)],
          ]),
          [storage],
        ),
      'no checksums': () => writeZip(unsummedMembers(state(false), [storage])),
    },
    contents: { 'state dict': 'tensors', 'a checkpoint with its epoch': 'tensors', 'no checksums': 'tensors' },
    reject: {
      'no checksums and a call of os.system': () => writeZip(unsummedMembers(calling(false), [storage])),
      'one checksum of 0 among others': () =>
        writeZip(
          checkpointMembers(state(false), [storage]).map((entry) =>
            entry.name.endsWith('/data/0') ? { ...entry, unsummed: true } : entry,
          ),
        ),
      'no checksums and another header': () =>
        writeZip(
          unsummedMembers(state(false), [storage]).map((entry) =>
            entry.name.endsWith('/data/0') ? { ...entry, local: { crc: 1 } } : entry,
          ),
        ),
      'a call of os.system': () => checkpoint(calling(false), [storage]),
      'a tensor larger than its storage': () => checkpoint(outside(false), [storage]),
      'a storage that is missing': () => checkpoint(state(false), []),
      'two pickles of one name': () =>
        writeZip([...checkpointMembers(state(false), [storage]), { name: 'archive/data.pkl', data: hostilePickle }]),
      'bytes before the archive': () => checkpoint(state(false), [storage], { prefix: hostilePickle }),
    },
  },
  {
    format: 'torch-distcp',
    accept: {
      'two pieces of tensors': () => Buffer.concat([tensorPart(), tensorPart()]),
      'pieces and a number': () => Buffer.concat([numberPart(), tensorPart(), tensorPart()]),
    },
    contents: { 'two pieces of tensors': 'tensors', 'pieces and a number': 'data' },
    cuts: 'a file that is cut between two of its archives holds the archives before the cut',
    reject: {
      'a part that calls os.system': () => Buffer.concat([checkpoint(calling(false), [storage]), tensorPart()]),
      'a last part that calls os.system': () => Buffer.concat([tensorPart(), checkpoint(calling(false), [storage])]),
      'a zip that hides a pickle': () => Buffer.concat([writeZip([{ name: 'a', data: hostilePickle }]), tensorPart()]),
      'a zip that is no checkpoint': () => Buffer.concat([writeZip([{ name: 'a', data: 'text' }]), tensorPart()]),
      'bytes between two parts': () => Buffer.concat([tensorPart(), Buffer.from('between'), tensorPart()]),
      'a pickle before the parts': () => Buffer.concat([hostilePickle, tensorPart(), tensorPart()]),
      'a storage that is a pickle': () =>
        Buffer.concat([tensorPart({ ...storage, bytes: Buffer.concat([hostilePickle]) }), tensorPart()]),
      'two storages that share bytes': () =>
        Buffer.concat([
          tensorPart(),
          writeZip(
            [...checkpointMembers(state(false), [storage]), { name: 'archive/data/1', data: storage.bytes }].map(
              (entry) => (entry.name === 'archive/data/1' ? { ...entry, central: { offset: 64 } } : entry),
            ),
          ),
        ]),
    },
  },
  {
    format: 'torch-package',
    accept: {
      'weights alone': () => writeZip(packageMembers(packed(), [storage])),
      'weights and a text': () =>
        writeZip(packageMembers(packed(), [storage], [{ name: 'p/weights/config.json', data: '{"hidden": 4}' }])),
    },
    contents: { 'weights alone': 'tensors', 'weights and a text': 'tensors' },
    reject: {
      'a call of os.system': () => writeZip(packageMembers(assemble(systemCall(), packed()), [storage])),
      'a module of its own': () =>
        writeZip(packageMembers(packed(), [storage], [{ name: 'p/collections.py', data: 'OrderedDict = dict\n' }])),
      'an object made by a function': () => writeZip(packageMembers(reduced, [])),
      'a tensor larger than its storage': () => writeZip(packageMembers(packed([9, 9]), [storage])),
      'a storage that is missing': () => writeZip(packageMembers(packed(), [])),
      'a storage that is a pickle': () =>
        writeZip(packageMembers(packed(), [{ ...storage, bytes: Buffer.concat([hostilePickle, Buffer.alloc(64)]) }])),
      'a storage that no pickle has': () => writeZip(packageMembers(packed(), [storage, { ...storage, key: '1' }])),
      'a second pickle among the data': () =>
        writeZip(packageMembers(packed(), [storage], [{ name: 'p/.data/more.pkl', data: hostilePickle }])),
      'a pickle under the name of a text': () =>
        writeZip(packageMembers(packed(), [storage], [{ name: 'p/readme.txt', data: hostilePickle }])),
    },
  },
  {
    format: 'torchscript',
    accept: { 'a module that adds': () => script('torch.add(x, x)') },
    contents: { 'a module that adds': 'code' },
    reject: {
      'an operator that reads files': () => script('torch.from_file("/etc/passwd", False, 10)'),
      'an operator on no list': () => script('ops.custom.run(x)'),
      'bytecode for mobile devices': () => mobile('aten::add'),
      'bytecode with an operator that reads files': () => mobile('aten::from_file'),
      'bytecode with an instruction that does not exist': () => mobile('aten::add', 'SYSCALL'),
      'bytecode with a class of native code': () => mobile('aten::add', 'OP', ['__torch__.torch.classes.evil.Run']),
      'bytecode that calls': () => script('torch.add(x, x)', module, [{ name: 'm/bytecode.pkl', data: hostilePickle }]),
      'a pickle that calls': () => script('torch.add(x, x)', dict([['x', assemble(systemCall(), op.none())]])),
    },
  },
  {
    format: 'torch-legacy',
    accept: { 'state dict': () => legacyCheckpoint(state(true), [storage]) },
    contents: { 'state dict': 'tensors' },
    reject: {
      'a call of os.system': () => legacyCheckpoint(calling(true), [storage]),
      'a tensor larger than its storage': () => legacyCheckpoint(outside(true), [storage]),
      'a storage that is missing': () => legacyCheckpoint(state(true), []),
      'a pickle behind the storages': () => legacyCheckpoint(state(true), [storage], { after: hostilePickle }),
    },
  },
  {
    format: 'torch-tar',
    accept: { 'state dict': () => tarCheckpoint(tarRoot, [storage], [inTar]) },
    contents: { 'state dict': 'tensors' },
    reject: {
      'a call of os.system': () => tarCheckpoint(assemble(systemCall(), tarRoot), [storage], [inTar]),
      'a tensor larger than its storage': () =>
        tarCheckpoint(tarRoot, [storage], [{ ...inTar, view: { shape: [9, 9] } }]),
      'a tensor of no storage': () => tarCheckpoint(tarRoot, [storage], [{ ...inTar, storage: 7 }]),
      'a storage that is missing': () => tarCheckpoint(tarRoot, [], [inTar], { count: 1 }),
      'a pickle behind the storages': () => tarCheckpoint(tarRoot, [storage], [inTar], { behind: hostilePickle }),
      'a pickle beside it': () =>
        tarCheckpoint(tarRoot, [storage], [inTar], { more: [{ name: 'x', data: hostilePickle }] }),
      'a storage twice': () => tarCheckpoint(tarRoot, [storage, storage], [inTar]),
      'a view outside its storage': () => tarCheckpoint(tarRoot, [storage], [inTar], { views: [[5, 0, 4, 3]] }),
    },
  },
];
