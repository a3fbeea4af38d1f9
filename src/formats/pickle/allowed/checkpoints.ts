import { noArguments } from '../rules/general.ts';
import { tensorProperties } from '../rules/torch.ts';
import { buildable, enumeration, type Row, record } from './roles.ts';

/**
 * What the index of a distributed checkpoint says (torch/distributed/checkpoint/metadata.py and filesystem.py): which part of
 * which tensor lies in which file. Dataclasses of plain values, though the package around them starts processes.
 */
export const checkpointRows: readonly Row[] = [
  [
    'torch.distributed.checkpoint.metadata',
    [
      'Metadata',
      'TensorStorageMetadata',
      'BytesStorageMetadata',
      'ChunkStorageMetadata',
      'MetadataIndex',
      'StorageMeta',
    ],
    record('data'),
  ],
  ['torch.distributed.checkpoint.filesystem', ['_StorageInfo'], record('data')],
  // Where both were before torch 2.0.
  [
    'torch.distributed._shard.checkpoint.metadata',
    ['Metadata', 'TensorStorageMetadata', 'BytesStorageMetadata', 'ChunkStorageMetadata', 'MetadataIndex'],
    record('data'),
  ],
  ['torch.distributed._shard.checkpoint.filesystem', ['_StorageInfo'], record('data')],
  // What an index of Chroma before 1.0 holds beside its vectors (chromadb 0.5): names and numbers, no methods that a pickle calls.
  ['chromadb.segment.impl.vector.local_persistent_hnsw', ['PersistentData'], record('library')],
  // Its `__setstate__` takes a tuple of dtype, layout, flags and memory format.
  ['torch.distributed.checkpoint.metadata', ['TensorProperties'], buildable('data', noArguments, tensorProperties)],
  [
    'torch.distributed._shard.sharded_tensor.metadata',
    ['TensorProperties'],
    buildable('data', noArguments, tensorProperties),
  ],
  ['torch.distributed.checkpoint.metadata', ['_MEM_FORMAT_ENCODING'], enumeration('data')],
  ['torch.distributed._shard.sharded_tensor.metadata', ['MEM_FORMAT_ENCODING'], enumeration('data')],
];
