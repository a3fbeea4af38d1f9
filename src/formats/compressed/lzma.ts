import { createBudget, MIB, within } from '../../bytes/limits.ts';
import { fromBytes } from '../../bytes/random-access.ts';
import { isFault, WeighbridgeError } from '../../errors.ts';
import { type ByteReader, createByteReader } from '../archive/byte-reader.ts';
import { createSink, type Sink } from '../archive/sink.ts';
import { createLzmaDecoder, LITERAL_BITS, propertiesOf } from './lzma-decoder.ts';
import { compressedFormat } from './stream.ts';
import { isXz } from './xz.ts';

const UNKNOWN_SIZE = 2 ** 64;
const HEADER = 13;
/** Where a stream of nothing ends: five bytes of the range coder. */
const NOTHING = HEADER + 5;

/** Bytes that a stream may say it becomes. */
const SIZE = 128 * MIB;

const decode = (input: ByteReader, sink: Sink, most = SIZE): void => {
  const properties = propertiesOf(input.next());
  within('lzma lc + lp', properties.lc + properties.lp, LITERAL_BITS);
  const dictionary = Math.max(4096, input.u32());
  const size = input.u32() + input.u32() * 2 ** 32;
  const sized = size < UNKNOWN_SIZE - 2 ** 11;
  if (sized) within('decompressed size', size, most);
  const decoder = createLzmaDecoder(input, sink, dictionary);
  decoder.resetState(properties);
  decoder.begin();
  const ended = decoder.decode(sized ? size : Number.POSITIVE_INFINITY, !sized);
  if (ended === 'marker' ? !decoder.atEnd() : !decoder.atEnd() && !endsWithMarker(decoder)) {
    throw new WeighbridgeError('FORMAT_INVALID', 'lzma: the stream does not end where it should');
  }
};

/** A stream of known size may have an end marker all the same. */
const endsWithMarker = (decoder: ReturnType<typeof createLzmaDecoder>): boolean =>
  decoder.decode(Number.POSITIVE_INFINITY, true) === 'marker' && decoder.atEnd();

/** Sizes that encoders use for the dictionary: 2^n and 2^n + 2^(n-1), as `file` and liblzma check. */
const isDictionarySize = (size: number): boolean => {
  if (size === 0xffffffff) return true;
  const power = 2 ** Math.floor(Math.log2(size || 1));
  return size >= 4096 && (size === power || size === power * 1.5);
};

const plausible = (head: Uint8Array): boolean => {
  const properties = head[0] ?? 255;
  if (head.length < NOTHING || properties >= 225 || head[HEADER] !== 0) return false;
  // What liblzma refuses no reader of Python's opens; other formats begin like that (weights of Core ML).
  if ((properties % 9) + (Math.floor(properties / 9) % 5) > LITERAL_BITS) return false;
  if (saysNothing(head)) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const high = view.getUint32(9, true);
  return (
    isDictionarySize(view.getUint32(1, true)) &&
    (high < 64 || (high === 0xffffffff && view.getUint32(5, true) === high))
  );
};

/**
 * Nothing compressed, and no stream behind it: what weights of Core ML and tables of Lance begin with. Readers that go on
 * to the next stream find none and give nothing; a file that ends there stays what it is.
 */
const saysNothing = (head: Uint8Array): boolean => {
  const next = head.subarray(NOTHING);
  if (next.length < NOTHING || head.subarray(5, NOTHING).some((byte) => byte !== 0)) return false;
  return !plausible(next) && !isXz(next);
};

/** The header is a weak magic: the beginning must really decompress, however much the whole says that it becomes. */
const reallyDecodes = (head: Uint8Array): boolean => {
  try {
    decode(createByteReader(fromBytes(head)), createSink(head.length, createBudget()), UNKNOWN_SIZE);
    return true;
  } catch (error) {
    return isFault(error, 'LIMIT_EXCEEDED') || isFault(error, 'FORMAT_TRUNCATED');
  }
};

export const lzma = compressedFormat({
  name: 'lzma',
  title: 'LZMA alone',
  recognisedBy: 'A plausible 13-byte header whose data really decompress.',
  checks: 'The stream up to its end, nothing behind it; the format has no checksum. The content is inspected.',
  references: ['lzma-file-format.txt (XZ Utils)'],
  recognise: (head) => plausible(head) && reallyDecodes(head),
  decode: (input, sink, note) => {
    decode(input, sink);
    note('the format has no checksum');
  },
  another: () => false,
  padding: false,
});
