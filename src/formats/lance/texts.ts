import { type Budget, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { PAGE } from '../arrow/decompress.ts';
import type { Layout } from './layout.ts';
import { decompress, invalid, numberAt, type Packing, textOf } from './packing.ts';

/** Buffers of a page: where they lie in the file. */
export type Buffers = readonly { readonly start: number; readonly length: number }[];
/** Is shown the texts of a page in their order; `offset` is where their buffer lies in the file. */
export type Visit = (text: Uint8Array, index: number, offset: number) => void;

export type Reading = { readonly source: RandomAccess; readonly budget: Budget; readonly visit: Visit };

/** Parts of a chunk begin on a multiple of this. */
const ALIGNMENT = 8;
/** Bytes before the offsets of a constant: how many buffers, and the lengths of two. */
const CONSTANT = 12;

const aligned = (at: number): number => Math.ceil(at / ALIGNMENT) * ALIGNMENT;

/** Shows every text of a page of version 2.1 and later. Returns why it was not read; nothing when it was. */
export const readTexts = (layout: Layout, buffers: Buffers, reading: Reading, constants: boolean): string => {
  switch (layout.kind) {
    case 'numbers':
      return '';
    case 'unread':
      return layout.why;
    case 'constant':
      return readConstant(buffers, reading, constants);
    case 'dictionary':
      return readDictionary(layout, buffers, reading);
    case 'mini':
      return readMiniBlocks(layout, buffers, reading);
    case 'zip':
      return readZipped(layout, buffers, reading);
  }
};

const read = ({ source, budget }: Reading, buffers: Buffers, index: number): Uint8Array => {
  const { start, length } = buffers[index] ?? invalid('a buffer is missing', 0);
  budget.spend('steps', 1);
  return source.read(start, within('bytes of a page', length, PAGE));
};
const placeOf = (buffers: Buffers, index: number): number => buffers[index]?.start ?? 0;

/** Where texts begin: their offsets stand at `offsets`, one more than there are texts, and count from `base` on. */
type Run = { readonly offsets: number; readonly base: number; readonly count: number; readonly first: number };

/** Shows texts that lie one behind the other, and returns where the last ends. */
const show = (
  bytes: Uint8Array,
  { offsets, base, count, first }: Run,
  packing: Packing,
  at: number,
  reading: Reading,
) => {
  const { width } = packing;
  const { budget, visit } = reading;
  budget.spend('steps', count);
  let start = base + numberAt(bytes, offsets, width, at);
  for (let index = 0; index < count; index++) {
    const end = base + numberAt(bytes, offsets + (index + 1) * width, width, at);
    if (end < start || end > bytes.length) invalid('a text leaves its buffer', at);
    visit(textOf(packing, bytes.subarray(start, end), at, budget), first + index, at);
    start = end;
  }
  return start;
};

/** A dictionary: the width of its offsets in bits, where its texts begin, the offsets from there on. */
const readDictionary = (
  { packing, entries }: Extract<Layout, { kind: 'dictionary' }>,
  buffers: Buffers,
  reading: Reading,
): string => {
  const at = placeOf(buffers, 2);
  const bytes = decompress(packing.codec, read(reading, buffers, 2), at, reading.budget);
  const { width } = packing;
  const base = 2 * width + (entries + 1) * width;
  if (numberAt(bytes, 0, width, at) !== width * 8) return 'a dictionary of an earlier kind';
  if (numberAt(bytes, width, width, at) !== base || numberAt(bytes, 2 * width, width, at) !== 0)
    return invalid('a dictionary whose texts begin elsewhere', at);
  const end = show(bytes, { offsets: 2 * width, base, count: entries, first: 0 }, packing, at, reading);
  return end === bytes.length ? '' : invalid('bytes in a dictionary that no entry has', at + end);
};

type Mini = Extract<Layout, { kind: 'mini' }>;

/** Chunks of up to some thousand texts, whose sizes stand in a buffer of their own (`serialize_miniblocks`). */
const readMiniBlocks = (layout: Mini, buffers: Buffers, reading: Reading): string => {
  const words = read(reading, buffers, 0);
  const { start, length } = buffers[1] ?? invalid('a buffer is missing', 0);
  const size = layout.large ? 4 : 2;
  if (words.length % size !== 0) invalid('a chunk without its size', placeOf(buffers, 0));
  let [at, texts] = [0, 0];
  for (let index = 0; index < words.length; index += size) {
    const word = numberAt(words, index, size, start);
    const bytes = (Math.floor(word / 16) + 1) * ALIGNMENT;
    const last = index + size >= words.length;
    const count = last ? layout.items - texts : 2 ** (word % 16);
    if (count < 0 || bytes > length - at) invalid('a chunk leaves its page', start + at);
    const chunk = reading.source.read(start + at, within('bytes of a page', bytes, PAGE));
    readChunk(chunk, layout, count, texts, start + at, reading);
    texts += count;
    at += bytes;
  }
  return at === length && texts === layout.items ? '' : invalid('bytes that no chunk has', start + at);
};

const readChunk = (
  chunk: Uint8Array,
  layout: Mini,
  count: number,
  first: number,
  at: number,
  reading: Reading,
): void => {
  const { levels, large, packing } = layout;
  let header = 2;
  let skipped = 0;
  for (let level = 0; level < levels; level++, header += 2) skipped += aligned(numberAt(chunk, header, 2, at));
  const size = numberAt(chunk, header, large ? 4 : 2, at);
  const start = aligned(header + (large ? 4 : 2)) + skipped;
  if (aligned(start + size) !== chunk.length) invalid('a chunk of another size than its parts', at);
  const bytes = decompress(packing.codec, chunk.subarray(start, start + size), at, reading.budget);
  if (numberAt(bytes, 0, packing.width, at) !== (count + 1) * packing.width) invalid('a chunk with other texts', at);
  const end = show(bytes, { offsets: 0, base: 0, count, first }, packing, at, reading);
  if (bytes.length - end >= ALIGNMENT) invalid('bytes in a chunk that no text has', at + end);
};

/** Texts one behind the other, each behind its levels and its length (`serialize_full_zip_variable`). */
const readZipped = (layout: Extract<Layout, { kind: 'zip' }>, buffers: Buffers, reading: Reading): string => {
  const { packing, repetition, definition } = layout;
  const at = placeOf(buffers, 0);
  const bytes = read(reading, buffers, 0);
  const bits = repetition + definition;
  const word = bits === 0 ? 0 : bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
  let items = 0;
  for (let position = 0; position < bytes.length; items++) {
    reading.budget.spend('steps', 1);
    const levels = word === 0 ? 0 : numberAt(bytes, position, word, at);
    position += word;
    // Without repetition every bit is one of definition: what is not zero is no text.
    if (definition > 0 && (repetition === 0 ? levels : levels % 2 ** definition) !== 0) continue;
    const length = numberAt(bytes, position, packing.width, at);
    position += packing.width;
    if (length > bytes.length - position) invalid('a text leaves its page', at + position);
    const own = decompress(packing.codec, bytes.subarray(position, position + length), at, reading.budget);
    reading.visit(textOf(packing, own, at, reading.budget), items, at);
    position += length;
  }
  return items === layout.items ? '' : invalid('a page with another number of texts', at);
};

/** A text that a whole page repeats: how many buffers it has, their lengths, its offsets, itself. */
const readConstant = (buffers: Buffers, reading: Reading, constants: boolean): string => {
  // Before there were constants, these were pages of nothing, whose buffers are levels.
  if (buffers.length === 0 || !constants) return '';
  const at = placeOf(buffers, 0);
  const bytes = read(reading, buffers, 0);
  if (bytes.length < CONSTANT || numberAt(bytes, 0, 4, at) !== 2) return 'a constant of a kind that is not known';
  const width = numberAt(bytes, 4, 4, at) / 2;
  if (width !== 4 && width !== 8) return 'a constant of a kind that is not known';
  const base = CONSTANT + 2 * width;
  if (base + numberAt(bytes, 8, 4, at) !== bytes.length) invalid('a constant of another size', at);
  if (numberAt(bytes, CONSTANT, width, at) !== 0) invalid('a constant that begins elsewhere', at);
  const end = show(bytes, { offsets: CONSTANT, base, count: 1, first: 0 }, { width }, at, reading);
  return end === bytes.length ? '' : invalid('bytes that a constant does not have', at + end);
};
