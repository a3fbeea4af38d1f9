import { type Budget, MIB, within } from '../../bytes/limits.ts';
import { fromBytes, type RandomAccess } from '../../bytes/random-access.ts';
import { createByteReader } from '../archive/byte-reader.ts';
import { createSink, INFLATED_STREAM_LIMIT, type Sink } from '../archive/sink.ts';
import { bzip2Stream } from '../compressed/bzip2.ts';
import { inflate } from '../compressed/inflate.ts';
import { createLzmaDecoder, propertiesOf } from '../compressed/lzma-decoder.ts';
import { DICTIONARY_LIMIT, dictionaryOf, readChunks } from '../compressed/xz.ts';
import { type Coder, type Folder, invalid } from './header.ts';

/** Coders that are read (7zip, DOC/Methods.txt). */
const COPY = '00';
const DELTA = '03';
const LZMA2 = '21';
const LZMA = '030101';
const DEFLATE = '040108';
const BZIP2 = '040202';
const KNOWN = [COPY, DELTA, LZMA2, LZMA, DEFLATE, BZIP2];
const ENCRYPTED = '06f10701';

/** Why a folder cannot be unpacked, by the first of its coders that is not read. */
export const unreadable = ({
  coders,
}: Folder): { readonly rule: 'encrypted' | 'method'; readonly method: string } | undefined => {
  const odd = coders.find(({ method }) => !KNOWN.includes(method));
  return odd && { rule: odd.method === ENCRYPTED ? 'encrypted' : 'method', method: odd.method };
};

/** What a folder's packed bytes become, coder after coder, each to exactly the size that is declared. */
export const unpack = (packed: RandomAccess, { coders }: Folder, budget: Budget): RandomAccess =>
  coders.reduce((source, coder) => decode(source, coder, budget), packed);

const decode = (source: RandomAccess, coder: Coder, budget: Budget): RandomAccess => {
  if (coder.method === COPY)
    return source.size === coder.size ? source : invalid('stored data of another size than declared');
  within('decompressed size', coder.size, INFLATED_STREAM_LIMIT);
  if (coder.method === DELTA) return fromBytes(undelta(source, coder));
  const input = createByteReader(source);
  const sink = createSink(source.size, budget, coder.size);
  decompress(coder, input, sink);
  if (sink.length !== coder.size || input.position !== source.size)
    invalid('compressed data of another size than declared');
  return fromBytes(sink.finish());
};

const decompress = (
  { method, properties, size }: Coder,
  input: ReturnType<typeof createByteReader>,
  sink: Sink,
): void => {
  if (method === DEFLATE) inflate(input, sink);
  else if (method === BZIP2) bzip2Stream(input, sink);
  else if (method === LZMA2) readChunks(input, sink, dictionaryOf(properties[0] ?? 255));
  else {
    if (properties.length !== 5) invalid('properties of another length');
    const view = new DataView(properties.buffer, properties.byteOffset, 5);
    const dictionary = Math.max(4096, within('7z dictionary', view.getUint32(1, true), DICTIONARY_LIMIT));
    const decoder = createLzmaDecoder(input, sink, dictionary);
    decoder.resetState(propertiesOf(view.getUint8(0)));
    decoder.begin();
    decoder.decode(size, false);
    if (!decoder.atEnd()) invalid('compressed data that do not end');
  }
};

/** Each byte is the difference to the one `distance` before. */
const undelta = (source: RandomAccess, { properties, size }: Coder): Uint8Array => {
  const distance = (properties[0] ?? 0) + 1;
  if (source.size !== size || size > 128 * MIB) invalid('filtered data of another size than declared');
  const bytes = source.read(0, size).slice();
  for (let at = distance; at < bytes.length; at++) bytes[at] = ((bytes[at] ?? 0) + (bytes[at - distance] ?? 0)) & 255;
  return bytes;
};
