import { within } from '../../bytes/limits.ts';
import { printable } from '../format.ts';
import {
  address,
  cursorAt,
  cursorIn,
  type Hdf5,
  invalid,
  latin,
  OUTSIDE,
  signature,
  unsigned,
  untilNul,
} from './file.ts';
import type { Message } from './header.ts';
import { localHeap } from './heap.ts';

/** Nodes of the tree of one group, and levels of it. */
const NODES = 1_000_000;
const LEVELS = 32;
/** Entries of one leaf; the standard has 8 and allows 64 thousand. */
const ENTRIES = 65_535;
/** Bytes of the name of a link. */
const NAME = 64 * 1024;

/** A link to an object of the same file. */
export type Link = { readonly name: string; readonly object: number };

const SOFT = 1;
const EXTERNAL = 64;

/** The links of an old group: a B-tree of version 1 over the names of a local heap (III.A.1, III.B, III.C). */
export const symbolTableLinks = (file: Hdf5, message: Message): Link[] => {
  const cursor = cursorIn(file, message.at, message.size);
  const tree = address(file, cursor);
  const heap = address(file, cursor);
  if (tree === undefined || heap === undefined) return [];
  const links: Link[] = [];
  const nameAt = localHeap(file, heap);
  for (const leaf of treeLeaves(file, tree, file.lengthSize)) readLeaf(file, leaf, nameAt, links);
  return links;
};

/** The children of the lowest nodes of a B-tree of version 1 of groups, whose keys have `key` bytes. */
const treeLeaves = function* (file: Hdf5, root: number, key: number): Generator<number> {
  const waiting: { at: number; level: number }[] = [{ at: root, level: LEVELS }];
  const seen = new Set<number>();
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    file.context.budget.spend('steps', 1);
    if (seen.has(node.at)) invalid('a tree leads back to itself', node.at);
    seen.add(node.at);
    within('nodes of a tree', seen.size, NODES);
    const cursor = cursorAt(file, node.at);
    signature(cursor, 'TREE');
    if (cursor.u8() !== 0) invalid('a node of a tree of groups is of another type', node.at);
    const level = cursor.u8();
    if (level >= node.level) invalid('a node of a tree is not below its parent', node.at);
    const used = cursor.u16();
    cursor.skip(2 * file.addressSize);
    for (let index = 0; index < used; index++) {
      cursor.skip(key);
      const child = address(file, cursor);
      if (child === undefined) invalid('a tree leads nowhere', node.at);
      else if (level === 0) yield child;
      else waiting.push({ at: child, level });
    }
  }
};

const readLeaf = (file: Hdf5, at: number, nameAt: (offset: number) => string, links: Link[]): void => {
  const cursor = cursorAt(file, at);
  signature(cursor, 'SNOD');
  cursor.skip(2);
  const count = within('entries of a leaf', cursor.u16(), ENTRIES);
  for (let index = 0; index < count; index++) {
    file.context.budget.spend('steps', 1);
    const nameOffset = unsigned(cursor, file.lengthSize);
    const object = address(file, cursor);
    const cache = cursor.u32();
    cursor.skip(4);
    const target = cursor.u32();
    cursor.skip(12);
    const name = nameAt(nameOffset);
    if (cache === 2) reportSoft(file, name, nameAt(target), at);
    else if (object !== undefined) links.push({ name, object });
  }
};

const reportSoft = (file: Hdf5, name: string, target: string, at: number): void =>
  file.report('soft-link', 'low', 'a link leads to another name in the file', at, printable(`${name} -> ${target}`), [
    'CWE-59',
  ]);

/** A link message (IV.A.2.g): hard, soft, external or of a type that some program has defined. */
export const readLink = (file: Hdf5, { at, size }: Pick<Message, 'at' | 'size'>): Link | undefined => {
  const cursor = cursorIn(file, at, size);
  if (cursor.u8() !== 1) return invalid('link version is not 1', at);
  const flags = cursor.u8();
  const type = (flags & 0x08) === 0 ? 0 : cursor.u8();
  if ((flags & 0x04) !== 0) cursor.skip(8);
  if ((flags & 0x10) !== 0) cursor.skip(1);
  const name = latin(cursor.bytes(within('bytes of the name of a link', unsigned(cursor, 2 ** (flags & 3)), NAME)));
  if (type === 0) {
    const object = address(file, cursor);
    return object === undefined ? undefined : { name, object };
  }
  const value = cursor.bytes(cursor.u16());
  if (type === SOFT) reportSoft(file, name, latin(value), at);
  else if (type === EXTERNAL) {
    const target = untilNul(value.subarray(1));
    file.report(
      'external-link',
      'high',
      'a link leads into another file',
      at,
      printable(`${name} -> ${target}`),
      OUTSIDE,
    );
  } else file.report('user-link', 'high', 'a link of a type that a plug-in defines', at, printable(name), OUTSIDE);
  return undefined;
};
