import type { Cursor } from '../../bytes/cursor.ts';
import { within } from '../../bytes/limits.ts';
import { printable } from '../format.ts';
import { committedType } from './attribute.ts';
import { type Dataspace, readDataspace } from './dataspace.ts';
import { type Datatype, holds, readDatatype } from './datatype.ts';
import {
  address,
  cursorAt,
  cursorIn,
  type Hdf5,
  invalid,
  length,
  MEMORY,
  noteUnread,
  OUTSIDE,
  signature,
  untilNul,
} from './file.ts';

import { MESSAGE, type Message } from './header.ts';
import { localHeap } from './heap.ts';

/** Filters of one dataset (H5Z_MAX_NFILTERS). */
const FILTERS = 32;
/** Chunks whose place is checked, of one dataset. */
const CHUNKS = 2_000_000;
/** Filters that readers have built in: deflate, shuffle, Fletcher-32, szip, n-bit, scale and offset, LZF (h5py). */
const KNOWN_FILTERS = new Set([1, 2, 3, 4, 5, 6, 32000]);

/** Checks the messages that make an object a dataset: shape, type, where its data are, what unpacks them. */
export const checkDataset = (file: Hdf5, messages: readonly Message[], name: string): void => {
  const find = (type: number): Message | undefined => messages.find((message) => message.type === type);
  const [spaceAt, typeAt, layout] = [find(MESSAGE.dataspace), find(MESSAGE.datatype), find(MESSAGE.layout)];
  const space = spaceAt && !spaceAt.shared ? readDataspace(file, cursorIn(file, spaceAt.at, spaceAt.size)) : undefined;
  const type = typeAt && readType(file, typeAt);
  if (type && holds(type, 'reference'))
    file.report('reference', 'low', 'a dataset refers to objects or regions', typeAt.at, printable(name));
  const filters = find(MESSAGE.filters);
  if (filters) checkFilters(file, filters, name);
  const external = find(MESSAGE.external);
  if (external) reportExternal(file, external, name);
  if (layout === undefined) return;
  if (space === undefined || type === undefined)
    noteUnread(file, `the dataset ${printable(name, 60)} has no shape or type`);
  else checkLayout(file, layout, space, type, name, external !== undefined);
};

const readType = (file: Hdf5, { at, size, shared }: Message): Datatype =>
  shared ? committedType(file, cursorIn(file, at, size)) : readDatatype(cursorIn(file, at, size));

/** A filter pipeline (IV.A.2.l). A filter that the reader does not have is loaded from a folder of plug-ins. */
const checkFilters = (file: Hdf5, { at, size }: Message, name: string): void => {
  const cursor = cursorIn(file, at, size);
  const version = cursor.u8();
  if (version !== 1 && version !== 2) invalid('a filter pipeline is not known', at);
  const count = within('filters of a dataset', cursor.u8(), FILTERS);
  if (version === 1) cursor.skip(6);
  for (let index = 0; index < count; index++) {
    const id = cursor.u16();
    const nameLength = version === 2 && id < 256 ? 0 : cursor.u16();
    cursor.skip(2);
    const values = cursor.u16();
    const title = untilNul(cursor.bytes(version === 1 ? Math.ceil(nameLength / 8) * 8 : nameLength));
    cursor.skip(values * 4 + (version === 1 && values % 2 === 1 ? 4 : 0));
    if (KNOWN_FILTERS.has(id)) continue;
    const evidence = printable(`${name}: ${id} ${title}`);
    file.report('filter', 'medium', 'data are unpacked by a plug-in, which the reader loads', at, evidence, [
      'CWE-829',
    ]);
  }
};

/** Raw data in other files (IV.A.2.h). */
const reportExternal = (file: Hdf5, { at, size }: Message, name: string): void => {
  const cursor = cursorIn(file, at, size);
  cursor.skip(6);
  const used = cursor.u16();
  const heap = address(file, cursor);
  const first = used > 0 && heap !== undefined ? localHeap(file, heap)(length(file, cursor)) : '';
  file.report(
    'external-storage',
    'high',
    'the data of a dataset stand in another file',
    at,
    printable(`${name} -> ${first}`),
    OUTSIDE,
  );
};

const COMPACT = 0;
const CONTIGUOUS = 1;
const CHUNKED = 2;
const VIRTUAL = 3;

/** Where the data are (IV.A.2.i), version 1 to 5. */
const checkLayout = (
  file: Hdf5,
  { at, size }: Message,
  space: Dataspace,
  type: Datatype,
  name: string,
  external: boolean,
): void => {
  const cursor = cursorIn(file, at, size);
  const version = cursor.u8();
  if (version < 1 || version > 5) invalid(`layout version ${version} is not known`, at);
  const rank = version < 3 ? cursor.u8() : 0;
  const kind = cursor.u8();
  if (version < 3) cursor.skip(5);
  const needed = BigInt(space.elements) * BigInt(type.size);
  if (kind === VIRTUAL)
    file.report('virtual', 'high', 'a dataset is put together from other files', at, printable(name), OUTSIDE);
  else if (kind === COMPACT) checkCompact(file, cursor, version, rank, needed, name);
  else if (kind === CONTIGUOUS) checkContiguous(file, cursor, version, rank, needed, name, external);
  else if (kind === CHUNKED) checkChunked(file, cursor, version, rank, space, name);
  else invalid('a layout is not known', at);
};

const tooShort = (file: Hdf5, at: number, name: string): void =>
  file.report(
    'data-size',
    'high',
    'a dataset has fewer bytes than shape and type need, or lies outside the file',
    at,
    printable(name),
    MEMORY,
  );

const checkCompact = (
  file: Hdf5,
  cursor: Cursor,
  version: number,
  rank: number,
  needed: bigint,
  name: string,
): void => {
  if (version < 3) cursor.skip(rank * 4);
  const size = version < 3 ? cursor.u32() : cursor.u16();
  if (BigInt(size) < needed || size > cursor.remaining()) tooShort(file, 0, name);
};

const checkContiguous = (
  file: Hdf5,
  cursor: Cursor,
  version: number,
  rank: number,
  needed: bigint,
  name: string,
  external: boolean,
): void => {
  const data = address(file, cursor);
  if (version < 3) cursor.skip(rank * 4);
  const size = version < 3 ? needed : BigInt(length(file, cursor));
  // No address: nothing was written, readers give the fill value.
  if (data === undefined || external) return;
  if (size < needed || BigInt(data) + size > BigInt(file.source.size)) tooShort(file, data, name);
};

const checkChunked = (
  file: Hdf5,
  cursor: Cursor,
  version: number,
  rank: number,
  space: Dataspace,
  name: string,
): void => {
  if (version > 3) {
    // Five kinds of indexes; none of them leads out of the file, and the data are numbers.
    if (space.shape.length === 0) invalid('a scalar is cut into chunks', 0);
    return;
  }
  const dimensions = version < 3 ? rank : cursor.u8();
  const index = address(file, cursor);
  if (dimensions !== space.shape.length + 1) invalid('chunks have another rank than their dataset', 0);
  if (index !== undefined) checkChunks(file, index, dimensions, name);
};

const checkChunks = (file: Hdf5, tree: number, dimensions: number, name: string): void => {
  const key = 8 + 8 * dimensions;
  let chunks = 0;
  for (const { data, size } of chunksOf(file, tree, key)) {
    chunks = within('chunks of a dataset', chunks + 1, CHUNKS);
    if (data + size <= file.source.size) continue;
    tooShort(file, data, name);
    return;
  }
};

/** The chunks that a tree of type 1 leads to. Its keys hold the bytes of each chunk. */
const chunksOf = function* (file: Hdf5, tree: number, key: number): Generator<{ data: number; size: number }> {
  for (const leaf of treeNodes(file, tree, key)) {
    const cursor = cursorAt(file, leaf.at);
    for (let index = 0; index < leaf.used; index++) {
      file.context.budget.spend('steps', 1);
      const size = cursor.u32();
      cursor.skip(key - 4);
      const data = address(file, cursor);
      if (data !== undefined) yield { data, size };
    }
  }
};

/** Lowest nodes of the tree of chunks: where their entries begin and how many they are. */
const treeNodes = function* (file: Hdf5, tree: number, key: number): Generator<{ at: number; used: number }> {
  const head = cursorAt(file, tree);
  signature(head, 'TREE');
  head.skip(1);
  const level = head.u8();
  const used = head.u16();
  const begin = tree + 8 + 2 * file.addressSize;
  if (level === 0) {
    yield { at: begin, used };
    return;
  }
  within('levels of a tree', level, 32);
  const children = cursorAt(file, begin);
  for (let index = 0; index < used; index++) {
    file.context.budget.spend('steps', 1);
    children.skip(key);
    const child = address(file, children);
    if (child === undefined) continue;
    const below = cursorAt(file, child);
    signature(below, 'TREE');
    below.skip(1);
    if (below.u8() !== level - 1) invalid('a node of a tree is not below its parent', child);
    yield* treeNodes(file, child, key);
  }
};
