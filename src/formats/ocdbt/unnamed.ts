import { createCursor } from '../../bytes/cursor.ts';
import { KIB } from '../../bytes/limits.ts';
import { fromBytes, type RandomAccess, section } from '../../bytes/random-access.ts';
import { isFault } from '../../errors.ts';
import { createByteReader } from '../archive/byte-reader.ts';
import { skipZstd } from '../compressed/zstd.ts';
import type { Context } from '../format.ts';
import { parseJson } from '../json/parse.ts';

/** Bytes of the description of an array: some hundred. */
const DESCRIPTION = 64 * KIB;
/** Bytes of the header of a blosc chunk. */
const BLOSC = 16;

/**
 * What no node of this file names may be named by one of another: values of a commit that came second. Descriptions of
 * arrays are read as what they are, and compressed chunks have their length in them. False when there is anything else.
 */
export const isOfValues = (source: RandomAccess, start: number, end: number, context: Context): boolean => {
  for (let at = start; at < end; ) {
    context.budget.spend('steps', 1);
    const description = descriptionAt(source, at, end);
    const length = description === 0 ? chunkAt(section(source, at, end)) : description;
    if (length === 0) return false;
    if (description > 0) {
      const { content, coverage } = context.nested(section(source, at, at + length), 'a value without a name');
      if (content !== 'inert' || coverage.state !== 'complete') return false;
    }
    at += length;
  }
  return true;
};

/** Bytes of the JSON object that begins here; 0 when none does. */
const descriptionAt = (source: RandomAccess, start: number, end: number): number => {
  const bytes = source.read(start, Math.min(end - start, DESCRIPTION));
  if (bytes[0] !== 0x7b) return 0;
  const text = Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : '\0')).join('');
  return lengthOr0(() => parseJson(text, { depth: 64, python: false }).end);
};

/** Bytes of the compressed chunk that begins here, a frame of zstd or a chunk of blosc; 0 when none does. */
const chunkAt = (rest: RandomAccess): number =>
  lengthOr0(() => {
    if (rest.size < BLOSC) return 0;
    const header = createCursor(fromBytes(rest.read(0, BLOSC)));
    const [version, codec, , width] = header.bytes(4);
    const [plain, block, packed] = [header.u32(), header.u32(), header.u32()];
    const fits = plain > 0 && block <= plain && packed > BLOSC && packed <= rest.size && packed <= plain + BLOSC;
    if (version === 2 && codec === 1 && width !== 0 && fits) return packed;
    const input = createByteReader(rest);
    skipZstd(input);
    return input.position;
  });

const lengthOr0 = (measure: () => number): number => {
  try {
    return measure();
  } catch (error) {
    if (isFault(error)) return 0;
    throw error;
  }
};
