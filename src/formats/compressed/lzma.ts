import { createBudget, MIB, within } from '../../bytes/limits.ts';
import { fromBytes } from '../../bytes/random-access.ts';
import { isFault, WeighbridgeError } from '../../errors.ts';
import { type ByteReader, createByteReader } from '../archive/byte-reader.ts';
import { createSink, type Sink } from '../archive/sink.ts';
import { createLzmaDecoder, propertiesOf } from './lzma-decoder.ts';
import { compressedFormat } from './stream.ts';

/** lc + lp beyond this is refused by liblzma; each step doubles the literal tables. */
export const LITERAL_BITS = 4;
const UNKNOWN_SIZE = 2 ** 64;
const HEADER = 13;
/** Where zeros from the header on end in files that are no streams. */
const ZEROS = 64;

const decode = (input: ByteReader, sink: Sink): void => {
  const properties = propertiesOf(input.next());
  within('lzma lc + lp', properties.lc + properties.lp, LITERAL_BITS);
  const dictionary = Math.max(4096, input.u32());
  const size = input.u32() + input.u32() * 2 ** 32;
  const sized = size < UNKNOWN_SIZE - 2 ** 11;
  if (sized) within('decompressed size', size, 128 * MIB);
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
  if (head.length < HEADER + 5 || properties >= 225 || head[HEADER] !== 0) return false;
  // What liblzma refuses no reader of Python's opens; other formats begin like that (weights of Core ML).
  if ((properties % 9) + (Math.floor(properties / 9) % 5) > LITERAL_BITS) return false;
  // Nothing compressed, then zeros only: what weights of Core ML begin with. No stream can follow in them.
  if (head.length >= ZEROS && head.subarray(5, ZEROS).every((byte) => byte === 0)) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const high = view.getUint32(9, true);
  return (
    isDictionarySize(view.getUint32(1, true)) &&
    (high < 64 || (high === 0xffffffff && view.getUint32(5, true) === high))
  );
};

/** The header is a weak magic: the beginning must really decompress. */
const reallyDecodes = (head: Uint8Array): boolean => {
  try {
    decode(createByteReader(fromBytes(head)), createSink(head.length, createBudget()));
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
