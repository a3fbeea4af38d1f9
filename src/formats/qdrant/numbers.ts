import { createCursor } from '../../bytes/cursor.ts';
import { MIB, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Companion, complete, type Format, type Inspection } from '../format.ts';

/** The mark of an index of sorted blocks, and its version. */
const [MAGIC, VERSION] = ['QdrntSBI', 1];
/** Bytes of its header, of a status, of a count, and of one border of a histogram. */
const [HEADER, STATUS, COUNT, BORDER] = [32, 16, 8, 28];
/** Bytes of the header of lists of points, and of that of one list. */
const [POSTINGS, POSTING] = [40, 24];
/** Words of one text, and bytes read at once. */
const [WORDS, WINDOW] = [2 ** 20, 65_536];
/** Files of sorted elements that have blocks. */
const SORTED = ['data.bin', 'counts_per_hash.bin', 'points_map.bin'] as const;
/** Bytes of one file; flags of one segment, and points on one side of a border. */
const [BYTES, FLAGS] = [256 * MIB, 2 ** 33];
/** Bytes of the room for flags that is made at first. */
const ROOM = MIB;

const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `Qdrant numbers: ${message}`, { offset });
};

/** A number of 64 bits; infinite when it is too large to be a count. */
const countAt = (bytes: Uint8Array, at: number): number => {
  const value = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(at, true);
  return value > BigInt(FLAGS) ? Number.POSITIVE_INFINITY : Number(value);
};

type Kind = 'blocks' | 'status' | 'borders' | 'postings' | 'counts';
const kindOf = (head: Uint8Array, source: RandomAccess): Kind | undefined => {
  const { size } = source;
  if (size < STATUS) return undefined;
  if (String.fromCharCode(...head.subarray(0, MAGIC.length)) === MAGIC) return 'blocks';
  const [first, second] = [countAt(head, 0), countAt(head, COUNT)];
  // Earlier versions had a second file of flags.
  if (size === STATUS) return first > 0 && Number.isFinite(first) && second === 0 ? 'status' : undefined;
  if (first > 0 && size === COUNT + BORDER * first) return 'borders';
  if (isPostings(head)) return 'postings';
  return areCounts(source) ? 'counts' : undefined;
};

/** Whether the lists begin right behind their headers, of which there are as many as it says. */
const isPostings = (head: Uint8Array): boolean =>
  head.length >= POSTINGS + POSTING &&
  head.subarray(COUNT, POSTINGS).every((byte) => byte === 0) &&
  countAt(head, POSTINGS) === POSTINGS + POSTING * countAt(head, 0);

/** Whether every number is as small as a count of words is; the first other one ends the search. */
const areCounts = (source: RandomAccess): boolean => {
  if (source.size % COUNT !== 0) return false;
  for (let at = 0; at < source.size; at += WINDOW) {
    const bytes = source.read(at, Math.min(WINDOW, source.size - at));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let place = 0; place < bytes.length; place += COUNT)
      if (view.getUint32(place, true) >= WORDS || view.getUint32(place + 4, true) !== 0) return false;
  }
  return true;
};

/** Files of numbers: the first of sorted blocks, borders of a histogram, how many flags there are, points of each word. */
export const qdrantNumbers: Format = {
  name: 'qdrant-numbers',
  title: 'Counts, lists of points, borders and blocks of Qdrant',
  recognisedBy:
    '`QdrntSBI` at the start; or of files that nothing else recognises: a count of flags in 16 bytes, one of borders that fill the file, headers of lists, or small counts alone',
  checks:
    'sizes to the last byte; lists one behind the other; borders with counts that can be; counts below a million; packed numbers are not unpacked',
  references: [
    'https://github.com/qdrant/qdrant/blob/master/lib/common/common/src/universal_io/sorted_block_index.rs',
    'https://github.com/qdrant/qdrant/blob/master/lib/segment/src/index/field_index/histogram.rs',
    'https://github.com/qdrant/qdrant/blob/master/lib/segment/src/common/flags/dynamic_stored_flags.rs',
  ],
  lastResort: true,
  recognise: (head, source, provisional) =>
    provisional !== true && source.size <= BYTES && kindOf(head, source) !== undefined,
  inspect(source, { budget }): Inspection {
    const head = source.read(0, Math.min(source.size, POSTINGS + POSTING));
    const kind = kindOf(head, source) ?? invalid('no kind that is known', 0);
    budget.spend('steps', Math.ceil(within('bytes of numbers', source.size, BYTES) / COUNT));
    if (kind === 'borders') checkBorders(source);
    if (kind === 'postings') checkPostings(source);
    const companions = besides(kind, source, countAt(head, 0));
    return {
      format: 'qdrant-numbers',
      content: 'inert',
      coverage: complete(source.size),
      details: { kind },
      ...(companions.length === 0 ? {} : { companions }),
    };
  },
};

/** What lies beside it. */
const besides = (kind: Kind, source: RandomAccess, count: number): readonly Companion[] => {
  if (kind === 'status') return [flagsOf(count)];
  if (kind === 'counts') return [bare('deleted_points.dat', bitsOf(source.size / COUNT))];
  return kind === 'blocks' ? readBlocks(source) : [];
};

const bare = (name: string, size: number): Companion => ({ names: [name], sameStem: false, size, fixed: [] });
/** Bytes of a bit for each point, in words of eight bytes. */
export const bitsOf = (points: number): number => COUNT * Math.ceil(points / (8 * COUNT));

/** The first element of each block (`SortedBlockIndex`): all elements lie beside it, in one of the files that have such blocks. */
const readBlocks = (source: RandomAccess): Companion[] => {
  const cursor = createCursor(source, MAGIC.length);
  const [version, element, each, unused] = [cursor.u32(), cursor.u32(), cursor.u32(), cursor.u32()];
  if (version !== VERSION || unused !== 0) invalid('a version that is not known', MAGIC.length);
  if (![8, 16, 32].includes(element) || each === 0) invalid('elements of a size that is none', 12);
  const elements = cursor.u64();
  const blocks = Math.ceil(elements / each);
  if (source.size !== HEADER + blocks * element) invalid('another number of blocks than it says', HEADER);
  return SORTED.map((name) => bare(name, elements * element));
};

/** Lists of points, one behind the other: chunks of packed numbers, and what is left of them. */
const checkPostings = (source: RandomAccess): void => {
  const cursor = createCursor(source);
  const lists = cursor.u64();
  let end = POSTINGS + POSTING * lists;
  cursor.position = POSTINGS;
  for (let list = 0; list < lists; list++) {
    if (cursor.u64() !== end) invalid('a list elsewhere', cursor.position - COUNT);
    const [chunks, packed, aligned, rest, unused, more] = [
      cursor.u32(),
      cursor.u32(),
      cursor.u8(),
      cursor.u8(),
      cursor.u16(),
      cursor.u32(),
    ];
    // Lists with the places of words in a text have parts of other sizes.
    if (unused !== 0 || more !== 0 || aligned > 3) invalid('a list of a kind that is not known', cursor.position);
    end += 4 + 8 * chunks + packed + aligned + 4 * rest;
    if (end > source.size) invalid('a list leaves the file', cursor.position);
  }
  if (end !== source.size) invalid('bytes that no list has', end);
};

/** A border: a number, that of its point, and how many points lie on each side. */
const checkBorders = (source: RandomAccess): void => {
  const cursor = createCursor(source);
  for (let left = cursor.u64(); left > 0; left--) {
    cursor.skip(BORDER - 2 * COUNT);
    for (let side = 0; side < 2; side++) within('points beside a border', cursor.u64(), FLAGS);
  }
};

/** The flags beside a count: bits in a room that grows by the double, those behind the last zero. */
const flagsOf = (flags: number): Companion => {
  const used = Math.ceil(flags / 8);
  const size = Math.max(ROOM, 2 ** Math.ceil(Math.log2(used)));
  const fixed = used === size ? [] : [{ offset: used, length: size - used, value: 0 }];
  return { names: ['flags_a.dat'], sameStem: false, size, fixed };
};
