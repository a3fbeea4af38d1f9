import type { Companion } from '../format.ts';
import { isObject, type JsonValue } from './parse.ts';

/** Pages of one store, and chunks of one segment, that are laid out: 2 and 4 GiB where their size is the usual one. */
const [PAGES, CHUNKS] = [64, 128];
/** Bytes of what the description of a store may say that a page or a chunk has. */
const LARGEST = 2 ** 32;
/** Bytes of what is kept of the gaps in a region, of a posting, and of a pair of a number and a point. */
const [GAPS, POSTING, PAIRS] = [6, 24, [16, 32]] as const;
/** Blocks of so many bytes hold numbers alone: texts are kept in larger ones. */
const NUMBERS = 8;

type Numbers = (name: string) => number;

/** What the configurations of Qdrant lay out beside them: bits, and numbers of vectors and points. No texts are there. */
export const readQdrant = (root: JsonValue): readonly Companion[] => {
  if (!isObject(root)) return [];
  const number: Numbers = (name) => {
    const value = root.entries.get(name);
    return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value <= LARGEST ? value : 0;
  };
  return [...store(number), ...chunks(number), ...postings(number), ...pairs(number), ...places(number)];
};

const bare = (name: string, size: number): Companion => ({ names: [name], sameStem: false, size, fixed: [] });
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** A store of values (Gridstore): which blocks of its pages are in use; pages of numbers. */
const store = (number: Numbers): Companion[] => {
  const [page, block, region] = [number('page_size_bytes'), number('block_size_bytes'), number('region_size_blocks')];
  if (page === 0 || block === 0 || region === 0 || page % (block * region) !== 0 || page % (8 * block) !== 0) return [];
  const bits = upTo(PAGES).map((before) => bare('bitmask.dat', ((before + 1) * page) / block / 8));
  const gaps = upTo(PAGES).map((before) => bare('gaps.dat', (((before + 1) * page) / block / region) * GAPS));
  const pages = block === NUMBERS ? upTo(PAGES).map((index) => bare(`page_${index}.dat`, page)) : [];
  return [...bits, ...gaps, ...pages];
};

/** Vectors in chunks of one size; a number has one, two or four bytes. */
const chunks = (number: Numbers): Companion[] => {
  const [bytes, vectors, dimensions] = [number('chunk_size_bytes'), number('chunk_size_vectors'), number('dim')];
  if (bytes === 0 || ![1, 2, 4].some((width) => vectors * dimensions * width === bytes)) return [];
  // How many vectors there are stands beside them.
  const status = { ...bare('status.dat', 8), fixed: [{ offset: 5, length: 3, value: 0 }] };
  return [status, ...upTo(CHUNKS).map((index) => bare(`chunk_${index}.mmap`, bytes))];
};

/** Sparse vectors by their dimensions. */
const postings = (number: Numbers): Companion[] => {
  const [count, size] = [number('posting_count'), number('total_sparse_size')];
  return count === 0 || size === 0 ? [] : [bare('inverted_index.dat', POSTING * count + size)];
};

/** Numbers in their order, each with its point. */
const pairs = (number: Numbers): Companion[] => {
  const total = number('max_bucket_size') === 0 ? 0 : number('total_count');
  return total === 0 ? [] : PAIRS.map((width) => bare('data.bin', width * total));
};

/** Points by places on the earth. */
const places = (number: Numbers): Companion[] => {
  const total = number('max_values_per_point') === 0 ? 0 : number('points_values_count');
  return total === 0 ? [] : [bare('points_map_ids.bin', 4 * total)];
};
