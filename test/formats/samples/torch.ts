import { systemCall } from '../../support/checkpoints.ts';
import { assemble, op, type Piece, pickled } from '../../support/pickle-assembler.ts';
import {
  checkpoint,
  checkpointMembers,
  dict,
  legacyCheckpoint,
  type Storage,
  tensor,
  value,
} from '../../support/torch-writer.ts';
import { writeZip } from '../../support/zip-writer.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

const storage: Storage = { key: '0', type: 'FloatStorage', elements: 6, bytes: new Uint8Array(24).fill(1) };
const state = (legacy: boolean): Uint8Array => dict([['w', tensor({ storage, shape: [2, 3], legacy })]]);
const outside = (legacy: boolean): Uint8Array => dict([['w', tensor({ storage, shape: [9, 9], legacy })]]);
const calling = (legacy: boolean): Uint8Array => assemble(systemCall(), state(legacy));

const module = assemble(
  op.global('__torch__', 'Net'),
  op.emptyTuple(),
  op.newobj(),
  dict([['training', op.false()]]),
  op.build(),
);
const script = (expression: string, data: Piece = module): Uint8Array =>
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
  ]);

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
    },
    contents: { 'state dict': 'tensors', 'a checkpoint with its epoch': 'tensors' },
    reject: {
      'a call of os.system': () => checkpoint(calling(false), [storage]),
      'a tensor larger than its storage': () => checkpoint(outside(false), [storage]),
      'a storage that is missing': () => checkpoint(state(false), []),
      'two pickles of one name': () =>
        writeZip([...checkpointMembers(state(false), [storage]), { name: 'archive/data.pkl', data: hostilePickle }]),
      'bytes before the archive': () => checkpoint(state(false), [storage], { prefix: hostilePickle }),
    },
  },
  {
    format: 'torchscript',
    accept: { 'a module that adds': () => script('torch.add(x, x)') },
    contents: { 'a module that adds': 'code' },
    reject: {
      'an operator that reads files': () => script('torch.from_file("/etc/passwd", False, 10)'),
      'an operator on no list': () => script('ops.custom.run(x)'),
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
];
