import { createBudget } from '../../bytes/limits.ts';
import { fromBytes } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { createByteReader } from '../archive/byte-reader.ts';
import { crc32 } from '../archive/checksum.ts';
import { createSink } from '../archive/sink.ts';
import { inflate } from '../compressed/inflate.ts';
import { DICTIONARY } from './dictionary.ts';

/** Size and CRC-32 of the dictionary (RFC 7932, appendix A). */
const [SIZE, CHECKSUM] = [122_784, 0x5136cb04];
/** Bits of the number of a word, by its length. */
const BITS = [0, 0, 0, 0, 10, 10, 11, 11, 10, 10, 10, 10, 10, 9, 9, 8, 7, 7, 8, 7, 7, 6, 6, 5, 5];

/**
 * What is done to a word (RFC 7932, appendix B): a text before it, a number, a text behind it. Up to 9 so many letters are
 * left out at its end, 10 and 11 put the first or every letter in capitals, from 12 on letters are left out at its start.
 */
const TRANSFORMS: readonly (readonly [before: string, what: number, behind: string])[] =
  '|0|~|0| ~ |0| ~|12|~|10| ~|0| the ~ |0|~s |0| ~|0| of ~|10|~|0| and ~|13|~|1|~, |0| ~|0|, ~ |10| ~|0| in ~|0| to ~e |0| ~|0|"~|0|.~|0|">~|0|\n~|3|~|0|]~|0| for ~|14|~|2|~|0| a ~|0| that ~ |10|~|0|. ~.|0|~ |0|, ~|15|~|0| with ~|0|\'~|0| from ~|0| by ~|16|~|17|~ the |0|~|4|~|0|. The ~|11|~|0| on ~|0| as ~|0| is ~|7|~|1|ing ~|0|\n\t~|0|:~ |0|. ~|0|ed ~|20|~|18|~|6|~|0|(~|10|, ~|8|~|0| at ~|0|ly ~ the |0| of ~|5|~|9|~ |10|, ~|10|"~.|0|(~|11| ~|10|">~|0|="~ |0|.~.com/|0|~ the |0| of the ~|10|\'~|0|. This ~|0|,~.|0| ~|10|(~|10|.~|0| not ~ |0|="~|0|er ~ |11| ~|0|al ~ |11|~|0|=\'~|11|"~|10|. ~ |0|(~|0|ful ~ |10|. ~|0|ive ~|0|less ~|11|\'~|0|est ~ |10|.~|11|">~ |0|=\'~|10|,~|0|ize ~|11|.~\xc2\xa0|0|~ |0|,~|10|="~|11|="~|0|ous ~|11|, ~|10|=\'~ |10|,~ |11|="~ |11|, ~|11|,~|11|(~|11|. ~ |11|.~|11|=\'~ |11|. ~ |10|="~ |11|=\'~ |10|=\''
    .split('~')
    .map((entry) => {
      const [before = '', what = '', behind = ''] = entry.split('|');
      return [before, Number(what), behind] as const;
    });
const [OMITS_LAST, CAPITAL, CAPITALS] = [9, 10, 11];

const invalid = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `brotli: ${message}`);
};

/** Where the words of each length begin. */
const OFFSETS: readonly number[] = (() => {
  let next = 0;
  return BITS.map((bits, length) => {
    const start = next;
    next += bits === 0 ? 0 : length << bits;
    return start;
  });
})();

let words: Uint8Array | undefined;

/** The dictionary, made when the first file asks for it: few do. */
const dictionary = (): Uint8Array => {
  if (words !== undefined) return words;
  const packed = Uint8Array.from(atob(DICTIONARY), (letter) => letter.charCodeAt(0));
  const sink = createSink(packed.length, createBudget(), SIZE);
  inflate(createByteReader(fromBytes(packed)), sink);
  const made = sink.finish().slice();
  if (made.length !== SIZE || crc32(made) !== CHECKSUM) invalid('the dictionary is damaged');
  words = made;
  return made;
};

const latin = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** Puts the UTF-8 letter at `at` in capitals, as roughly as the specification does; answers where the next is. */
const capital = (word: Uint8Array, at: number): number => {
  const byte = word[at] ?? 0;
  const change = (place: number, by: number): void => {
    if (place < word.length) word[place] = (word[place] ?? 0) ^ by;
  };
  if (byte < 0xc0) {
    if (byte >= 0x61 && byte <= 0x7a) change(at, 32);
    return at + 1;
  }
  if (byte < 0xe0) {
    change(at + 1, 32);
    return at + 2;
  }
  change(at + 2, 5);
  return at + 3;
};

/** The word of `length` letters with the number `id`, which also says what is done to it (RFC 7932, section 8). */
export const wordOf = (length: number, id: number): Uint8Array => {
  const bits = BITS[length] ?? 0;
  const transform = TRANSFORMS[Math.floor(id / 2 ** bits)];
  if (bits === 0 || transform === undefined) return invalid('a word that does not exist');
  const [before, what, behind] = transform;
  const start = (OFFSETS[length] ?? 0) + (id % 2 ** bits) * length;
  const all = dictionary().slice(start, start + length);
  const from = what > CAPITALS ? Math.min(length, what - CAPITALS) : 0;
  const word = all.subarray(from, what <= OMITS_LAST ? Math.max(0, length - what) : length);
  if (what === CAPITAL && word.length > 0) capital(word, 0);
  if (what === CAPITALS) for (let at = 0; at < word.length; ) at = capital(word, at);
  const out = new Uint8Array(before.length + word.length + behind.length);
  out.set(latin(before));
  out.set(word, before.length);
  out.set(latin(behind), before.length + word.length);
  return out;
};
