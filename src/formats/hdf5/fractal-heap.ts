import type { Cursor } from '../../bytes/cursor.ts';
import { within } from '../../bytes/limits.ts';
import { address, cursorAt, type Hdf5, invalid, length, signature, unsigned } from './file.ts';
import { recordsOf, widthOf } from './tree2.ts';

/** Bits of the heap's address space, and columns of its table: the library's own are 32 or 40, and 4. */
const HEAP_BITS = 64;
const WIDTH = 4096;
/** Indirect blocks inside each other. */
const DEPTH = 16;

/** A fractal heap (HDF5 file format 3.0, III.G): where groups and objects keep many links and attributes. */
export type FractalHeap = {
  readonly offsetWidth: number;
  readonly lengthWidth: number;
  readonly tableWidth: number;
  readonly firstSize: number;
  readonly directRows: number;
  readonly root: number | undefined;
  /** Rows of the root block; 0 when it is a direct block itself. */
  readonly rows: number;
  /** Bytes of the name of an object, and the tree of objects that are too large for the blocks. */
  readonly nameWidth: number;
  readonly huge: number | undefined;
};

/** Reads the header of the heap at `start`. Heaps whose blocks pass through filters are not read. */
export const readFractalHeap = (file: Hdf5, start: number): FractalHeap => {
  const cursor = cursorAt(file, start);
  signature(cursor, 'FRHP');
  cursor.skip(1);
  const nameWidth = cursor.u16();
  const filters = cursor.u16();
  cursor.skip(1);
  const largest = cursor.u32();
  cursor.skip(file.lengthSize);
  const huge = address(file, cursor);
  cursor.skip(file.lengthSize + file.addressSize + 8 * file.lengthSize);
  const tableWidth = within('columns of a heap', cursor.u16(), WIDTH);
  const firstSize = length(file, cursor);
  const largestDirect = length(file, cursor);
  const bits = within('bits of a heap', cursor.u16(), HEAP_BITS);
  cursor.skip(2);
  const root = address(file, cursor);
  const rows = cursor.u16();
  if (filters > 0) invalid('a heap of links or attributes is compressed', start);
  if (tableWidth === 0 || firstSize === 0 || largestDirect < firstSize || bits === 0)
    return invalid('a heap of links or attributes is malformed', start);
  return {
    offsetWidth: Math.ceil(bits / 8),
    lengthWidth: Math.min(widthOf(largestDirect), widthOf(largest)),
    tableWidth,
    firstSize,
    directRows: Math.floor(Math.log2(largestDirect / firstSize)) + 2,
    root,
    rows,
    nameWidth,
    huge,
  };
};

/** Where an object is, and its bytes. */
export type Place = { readonly at: number; readonly size: number };

const MANAGED = 0;
const HUGE = 1;
/** Type of the records of the tree of large objects. */
const HUGE_RECORDS = 1;

/** Where the object is that the heap's name for it at the cursor says. */
export const heapObject = (file: Hdf5, heap: FractalHeap, name: Cursor): Place => {
  const kind = (name.u8() >> 4) & 3;
  if (kind === HUGE) return hugeObject(file, heap, name);
  if (kind !== MANAGED || heap.root === undefined) return invalid('an object of a heap stands in its own name', 0);
  const offset = unsigned(name, heap.offsetWidth);
  const size = unsigned(name, heap.lengthWidth);
  if (heap.rows === 0) return { at: heap.root + offset, size };
  return { at: locate(file, heap, heap.root, heap.rows, offset, 0), size };
};

/** A large object stands by itself: its name holds its place, or a number that a tree turns into one. */
const hugeObject = (file: Hdf5, heap: FractalHeap, name: Cursor): Place => {
  const direct = heap.nameWidth > file.addressSize + file.lengthSize;
  if (direct) return placeAt(file, name);
  const wanted = unsigned(name, Math.min(8, heap.nameWidth - 1));
  if (heap.huge === undefined) return invalid('a heap has no tree of large objects', 0);
  for (const record of recordsOf(file, heap.huge, HUGE_RECORDS)) {
    const place = placeAt(file, record);
    if (length(file, record) === wanted) return place;
  }
  return invalid('a large object of a heap stands nowhere', heap.huge);
};

const placeAt = (file: Hdf5, cursor: Cursor): Place => {
  const at = address(file, cursor);
  const size = length(file, cursor);
  return at === undefined ? invalid('a large object of a heap stands nowhere', 0) : { at, size };
};

const rowSize = (heap: FractalHeap, row: number): number => heap.firstSize * 2 ** Math.max(0, row - 1);

/** Follows the table of an indirect block to the direct block that holds `offset`. */
const locate = (file: Hdf5, heap: FractalHeap, block: number, rows: number, offset: number, depth: number): number => {
  within('blocks inside each other', depth, DEPTH);
  file.context.budget.spend('steps', 1);
  const cursor = cursorAt(file, block);
  signature(cursor, 'FHIB');
  cursor.skip(1 + file.addressSize + heap.offsetWidth);
  const table = cursor.position;
  let before = 0;
  for (let row = 0; row < rows; row++) {
    const size = rowSize(heap, row);
    if (offset >= before + size * heap.tableWidth) {
      before += size * heap.tableWidth;
      continue;
    }
    const column = Math.floor((offset - before) / size);
    cursor.position = table + (row * heap.tableWidth + column) * file.addressSize;
    const child = address(file, cursor);
    if (child === undefined) return invalid('an object of a heap stands nowhere', block);
    const inside = offset - before - column * size;
    if (row < heap.directRows) return child + inside;
    const below = Math.floor(Math.log2(size / (heap.firstSize * heap.tableWidth))) + 1;
    return locate(file, heap, child, below, inside, depth + 1);
  }
  return invalid('an object of a heap lies outside it', block);
};
