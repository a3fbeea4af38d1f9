import { f32, f64, u32, u64 } from './little-writer.ts';
import { bytes } from './reports.ts';

const room = (content: Uint8Array, size: number): Uint8Array => {
  const all = new Uint8Array(size);
  all.set(content);
  return all;
};
/** Bits and numbers that begin like nothing that is recognised. */
const bits = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => (index * 37 + 251) & 0xff);

type Segment = {
  /** Files of one segment, by path. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Those among them that have no mark, and pass by what lies beside them alone. */
  readonly bare: readonly string[];
};

/** A store of one page of 512 blocks, vectors in one chunk, flags, and indexes of three points. */
export const qdrantSegment = (): Segment => {
  const store = { page_size_bytes: 65_536, block_size_bytes: 128, region_size_blocks: 8, compression: 'LZ4' };
  const numbers = { ...store, block_size_bytes: 8, compression: 'None' };
  const bare = {
    'payload_storage/bitmask.dat': bits(64),
    'payload_storage/gaps.dat': bits(384),
    'numeric/page_0.dat': bits(65_536),
    'vectors/chunk_0.mmap': bits(4096),
    'vectors/status.dat': bytes(u32(0x7fff_fffd), [1, 0, 0, 0]),
    'flags/flags_a.dat': room(bits(63), 2 ** 20),
    'sparse/inverted_index.dat': bits(2 * 24 + 100),
    'immutable/data.bin': bits(16 * 3),
    'immutable/deleted.bin': bits(8),
    'geo/points_map_ids.bin': bytes(u32(0x7fff_fff1, 0x7fff_fff2, 0x7fff_fff3)),
    'geo/counts_per_hash.bin': bits(16 * 3),
    'dense/deleted.dat': bytes('drop', [0, 0, 0, 0], bits(8)),
  };
  const files = {
    'payload_storage/config.json': bytes(JSON.stringify(store)),
    'numeric/config.json': bytes(JSON.stringify(numbers)),
    'vectors/config.json': bytes(JSON.stringify({ chunk_size_bytes: 4096, chunk_size_vectors: 256, dim: 4 })),
    'flags/status.dat': u64(500, 0),
    'sparse/inverted_index_config.json': bytes(
      JSON.stringify({ posting_count: 2, vector_count: 3, total_sparse_size: 100 }),
    ),
    'immutable/histogram_config.json': bytes(
      JSON.stringify({ max_bucket_size: 10_000, precision: 0.01, total_count: 3 }),
    ),
    'immutable/point_to_values.bin': bytes(room(u64(4096, 2), 4096), u64(4128, 1, 4136, 1), f64(0.5, 1.5)),
    'geo/mmap_field_index_stats.json': bytes(JSON.stringify({ points_values_count: 3, max_values_per_point: 1 })),
    'geo/counts_per_hash_block_index.bin': bytes('QdrntSBI', u32(1, 16, 1024, 0), u64(3), u64(1, 2)),
    'dense/matrix.dat': bytes('data', f32(0.5, -0.5, 0.25, 1)),
  };
  return { files: { ...files, ...bare }, bare: Object.keys(bare) };
};
