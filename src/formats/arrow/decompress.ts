import { decompress as unzstd } from 'fzstd';
import { createBudget, KIB, MIB, within } from '../../bytes/limits.ts';
import { fromBytes } from '../../bytes/random-access.ts';
import { isFault, WeighbridgeError } from '../../errors.ts';
import { createByteReader } from '../archive/byte-reader.ts';
import { createSink, isBomb } from '../archive/sink.ts';
import { decodeGzip } from '../compressed/gzip.ts';
import { decodeBlock, decodeFrame } from '../compressed/lz4.ts';
import { unsnappy } from './snappy.ts';

/** How pages of Parquet and buffers of Arrow are compressed. */
export type Codec = 'none' | 'snappy' | 'gzip' | 'zstd' | 'lz4 block' | 'lz4 frame';

/** Bytes of one page or buffer: writers aim at one MiB, some at eight; a batch of a million texts has some hundred. */
export const PAGE = 256 * MIB;
/** Columns that hold one value compress a few thousand times; what is small is no bomb. */
const REGULAR = 40;

/** `bytes` as the `size` bytes that they are to become. Throws FORMAT_INVALID and LIMIT_EXCEEDED with `offset`. */
export const decompressed = (codec: Codec, bytes: Uint8Array, size: number, offset: number): Uint8Array => {
  within('bytes of a page', size, PAGE);
  if (isBomb({ length: size, compressed: bytes.length * REGULAR + 4 * KIB })) within('compression ratio', size, 0);
  try {
    switch (codec) {
      case 'none':
        return bytes;
      case 'snappy':
        return unsnappy(bytes, size);
      case 'zstd':
        return unzstd(bytes, new Uint8Array(size));
      default:
        return throughSink(codec, bytes, size);
    }
  } catch (error) {
    if (isFault(error)) throw new WeighbridgeError(error.code, error.message, { offset });
    // The package throws plain errors on streams that are none.
    throw new WeighbridgeError('FORMAT_INVALID', 'a page cannot be decompressed', { offset });
  }
};

const throughSink = (codec: 'gzip' | 'lz4 block' | 'lz4 frame', bytes: Uint8Array, size: number): Uint8Array => {
  // The ratio was judged above, with what is usual for columns.
  const sink = createSink(Math.max(bytes.length, size), createBudget(), size);
  if (codec === 'lz4 block') decodeBlock(bytes, sink, 0);
  else if (codec === 'lz4 frame') decodeFrame(createByteReader(fromBytes(bytes)), sink);
  else decodeGzip(createByteReader(fromBytes(bytes)), sink);
  return sink.finish();
};
