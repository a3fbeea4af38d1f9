import { zstdCompressSync } from 'node:zlib';
import { f64, u16, u32, u64 } from '../../support/little-writer.ts';
import { message } from '../../support/protobuf-writer.ts';
import { bytes } from '../../support/reports.ts';
import { hostilePickle } from './hostile.ts';
import type { Samples } from './types.ts';

type Header = {
  readonly room?: number;
  readonly elements?: number;
  readonly levels?: number;
  readonly entry?: number;
  readonly given?: number;
};
/** The header of an index in parts: vectors of two numbers, four neighbours on the lowest level. */
export const hnswHeader = ({ room = 4, elements = 2, levels = 1, entry = 0, given = 2 }: Header = {}): Uint8Array =>
  bytes(u32(1), u64(0, room, elements, 36, 28, 20), u32(levels, entry), u64(2, 4, given), f64(1), u64(10));

/** Lists of neighbours above the lowest level, two to a level, of each of the elements. */
const links = (lists: readonly (readonly (readonly number[])[])[]): Uint8Array =>
  bytes(
    ...lists.map((levels) =>
      bytes(
        u32(levels.length * 12),
        ...levels.map((neighbours) =>
          bytes(u16(neighbours.length, 0), u32(...neighbours), u32(...[0, 0].slice(neighbours.length))),
        ),
      ),
    ),
  );

type Chunk = {
  readonly content?: Uint8Array;
  readonly flags?: number;
  readonly plain?: number;
  readonly place?: number;
  readonly length?: number;
  readonly behind?: Uint8Array;
};
const TEXT = bytes('numbers, numbers and numbers '.repeat(20));
/** A chunk of blosc of one block in one stream: codec zstd (4), not split (bit 4), unless flags are given. */
export const bloscChunk = ({
  content = TEXT,
  flags = 0x90,
  plain = content.length,
  place = 20,
  length,
  behind = bytes(),
}: Chunk = {}): Uint8Array => {
  const packed = zstdCompressSync(content);
  const stream = bytes(u32(length ?? packed.length), packed, behind);
  return bytes([2, 1, flags, 4], u32(plain, plain, 20 + stream.length, place), stream);
};
/** The same bytes with those of each element of four apart. */
const apart = (content: Uint8Array): Uint8Array =>
  bytes(...[0, 1, 2, 3].map((byte) => content.filter((_, index) => index % 4 === byte)));

/** The pickle with a multiple of four bytes. */
const padded = bytes(hostilePickle, new Uint8Array((4 - (hostilePickle.length % 4)) % 4));

const IDENTITY = '36e817c3-7ee6-4141-84bb-a8920005e012';
type Transaction = {
  readonly path?: string;
  readonly operation?: number;
  readonly field?: number;
  readonly kind?: string;
};
/** A transaction of Lance that replaces all rows by those of one file, with one column. */
const transaction = ({
  path = '1.lance',
  operation = 102,
  field = 4,
  kind = 'int64',
}: Transaction = {}): Uint8Array => {
  const fragment = message([2, message([1, path], [2, bytes([0])], [3, bytes([0])], [field, 2], [6, 900])], [4, 5]);
  const column = message([2, 'id'], [5, kind], [6, 1], [7, 1]);
  return message([1, 3], [2, IDENTITY], [operation, message([1, fragment], [2, column])]);
};

const COLUMN = message([2, 'x'], [5, 'int64']);
/** A transaction of another operation. */
const changed = (
  operation: number,
  ...fields: readonly (readonly [number, number | string | Uint8Array])[]
): Uint8Array => message([1, 3], [2, IDENTITY], [operation, message(...fields)]);

/** Files of which one index or store consists. */
export const partSamples: readonly Samples[] = [
  {
    format: 'lance-transaction',
    accept: {
      'rows replaced': () => transaction(),
      'an index made': () =>
        changed(103, [1, message([1, message([1, IDENTITY])], [3, 'x'], [10, message([1, 'i.idx'])])]),
      'a column merged': () => changed(105, [1, message([2, message([1, '2.lance'])], [4, 5])], [2, COLUMN]),
      'a setting changed': () => changed(110, [6, message([1, message([1, 'a'], [2, 'b'])])]),
      'rows deleted': () => message([2, IDENTITY], [101, message([2, bytes([1, 2])], [3, 'id < 10'])]),
    },
    reject: {
      'a file outside of the folder': () => transaction({ path: '../../etc/passwd' }),
      'a file elsewhere': () => transaction({ path: 's3://bucket/1.lance' }),
      'an operation that is not known': () => transaction({ operation: 113 }),
      'a file of an index outside of the folder': () => changed(103, [1, message([10, message([1, '../../x'])])]),
      'a base elsewhere': () => changed(114, [1, message([1, 1], [4, 's3://bucket/'])]),
      'a pickled type of a merged column': () => changed(105, [2, message([2, 'x'], [5, 'arrow.py_extension_type'])]),
      'a field that is not known': () => transaction({ field: 77 }),
      'a pickled type of a column': () => transaction({ kind: 'arrow.py_extension_type' }),
      'two operations': () => bytes(transaction(), message([101, message([3, 'id < 10'])])),
      'no operation': () => message([1, 3], [2, IDENTITY]),
    },
  },
  {
    format: 'blosc',
    accept: {
      'text in a block': () => bloscChunk(),
      'bytes of elements apart': () => bloscChunk({ content: apart(TEXT), flags: 0x91 }),
      'text that is not compressed': () => bytes([2, 1, 2, 1], u32(TEXT.length, TEXT.length, 16 + TEXT.length), TEXT),
    },
    reject: {
      'a pickle in a block': () => bloscChunk({ content: hostilePickle }),
      'a pickle whose bytes are apart': () => bloscChunk({ content: apart(padded), flags: 0x91 }),
      'a block outside of its chunk': () => bloscChunk({ place: 9000 }),
      'a block inside the table': () => bloscChunk({ place: 16 }),
      'a stream outside of its chunk': () => bloscChunk({ length: 9000 }),
      'a stream of another length': () => bloscChunk({ plain: TEXT.length + 1 }),
      'a codec that is not read': () => bloscChunk({ flags: 0x50 }),
      'bytes behind a block': () => bloscChunk({ behind: hostilePickle }),
    },
  },
  {
    format: 'hnswlib-header',
    accept: {
      'two vectors with room for four': () => hnswHeader(),
      'no vectors': () => hnswHeader({ elements: 0, levels: -1 }),
    },
    reject: {
      'more vectors than there is room for': () => hnswHeader({ elements: 5 }),
      'an entry that does not exist': () => hnswHeader({ entry: 2 }),
      'levels without vectors': () => hnswHeader({ elements: 0 }),
      'too many levels': () => hnswHeader({ levels: 99 }),
      'two numbers of neighbours': () => hnswHeader({ given: 3 }),
    },
  },
  {
    format: 'hnswlib-links',
    accept: {
      'two elements above the others': () => links([[], [[2]], [[1]], []]),
      'an element on two levels': () => links([[[1], []], [[0]]]),
      'no element above the others': () => links([[], [], []]),
    },
    reject: {
      'a neighbour that does not exist': () => links([[], [[2]], [[3]]]),
      'more neighbours than there is room for': () => bytes(links([[], [[2]], []]), u32(12), u16(3, 0), u32(1, 0)),
      'levels of no common size': () => bytes(links([[], [[2]], []]), u32(16), u16(1, 0), u32(1, 0, 0)),
      'a list that leads out of the file': () => bytes(links([[], [[2]], []]), u32(12, 1)),
      'a pickle behind the lists': () => bytes(links([[], [[1]]]), hostilePickle),
    },
    cuts: 'elements at the end may be missing, whose number stands in another file',
  },
];
