import { within } from '../../bytes/limits.ts';
import { isFault } from '../../errors.ts';
import { printable } from '../format.ts';
import { type Attribute, judgeAttribute, readAttribute } from './attribute.ts';
import { checkDataset } from './dataset.ts';
import { address, cursorIn, type Hdf5, noteUnread } from './file.ts';
import { heapObject, readFractalHeap } from './fractal-heap.ts';
import { type Link, readLink, symbolTableLinks } from './group.ts';
import { MESSAGE, type Message, readHeader } from './header.ts';
import { recordsOf } from './tree2.ts';

/** Objects of one file. Large models have some thousand datasets. */
const OBJECTS = 500_000;
/** Attributes that are told to the caller. */
const ROOT_ATTRIBUTES = 64;

/** Types of records in trees of version 2: links and attributes by their names. */
const LINK_NAMES = 5;
const ATTRIBUTE_NAMES = 8;

const KNOWN: ReadonlySet<number> = new Set(Object.values(MESSAGE));

export type Walked = { readonly groups: number; readonly datasets: number; readonly rootAttributes: readonly string[] };

/** Visits every object that can be reached from the root group, once, and judges what it holds. */
export const walkObjects = (file: Hdf5, root: number): Walked => {
  const waiting: Link[] = [{ name: '', object: root }];
  const seen = new Set<number>([root]);
  const counts = { groups: 0, datasets: 0 };
  const rootAttributes: string[] = [];
  for (let link = waiting.pop(); link !== undefined; link = waiting.pop()) {
    file.context.budget.spend('steps', 1);
    const { name, object } = link;
    const messages = readHeader(file, object);
    const attributes = attributesOf(file, messages);
    for (const attribute of attributes) judgeAttribute(file, attribute, name === '' ? '/' : name);
    if (object === root)
      rootAttributes.push(...attributes.slice(0, ROOT_ATTRIBUTES).map((one) => printable(one.name, 60)));
    noteUnknown(file, messages, name);
    if (messages.some(({ type }) => type === MESSAGE.layout || type === MESSAGE.external)) {
      counts.datasets += 1;
      checkDataset(file, messages, name);
    } else counts.groups += 1;
    for (const child of linksOf(file, messages)) {
      if (seen.has(child.object)) continue;
      seen.add(child.object);
      within('objects of a file', seen.size, OBJECTS);
      waiting.push({ name: `${name.slice(-200)}/${child.name}`, object: child.object });
    }
  }
  return { ...counts, rootAttributes };
};

const noteUnknown = (file: Hdf5, messages: readonly Message[], name: string): void => {
  const strange = messages.find(({ type }) => !KNOWN.has(type));
  if (strange !== undefined) noteUnread(file, `header message ${strange.type} of ${printable(name, 60)} is not known`);
};

const attributesOf = (file: Hdf5, messages: readonly Message[]): Attribute[] => {
  const found: Attribute[] = [];
  for (const message of messages) {
    if (message.type === MESSAGE.attribute) {
      if (message.shared) noteUnread(file, 'an attribute stands in a heap of shared messages');
      else found.push(readAttribute(file, message));
    } else if (message.type === MESSAGE.attributeInfo) {
      for (const object of denseObjects(file, message, 2, ATTRIBUTE_NAMES)) found.push(readAttribute(file, object));
    }
  }
  return found;
};

const linksOf = (file: Hdf5, messages: readonly Message[]): Link[] => {
  const found: Link[] = [];
  for (const message of messages) {
    if (message.type === MESSAGE.symbolTable) found.push(...symbolTableLinks(file, message));
    else if (message.type === MESSAGE.link) found.push(...present(readLink(file, message)));
    else if (message.type === MESSAGE.linkInfo) {
      for (const object of denseObjects(file, message, 8, LINK_NAMES)) found.push(...present(readLink(file, object)));
    }
  }
  return found;
};

const present = (link: Link | undefined): Link[] => (link === undefined ? [] : [link]);

/** Links or attributes that outgrew the header: in a fractal heap, listed by a tree (IV.A.2.c and IV.A.2.v). */
const denseObjects = (
  file: Hdf5,
  message: Message,
  countWidth: number,
  type: number,
): { at: number; size: number }[] => {
  const cursor = cursorIn(file, message.at, message.size);
  cursor.skip(1);
  const flags = cursor.u8();
  if ((flags & 1) !== 0) cursor.skip(countWidth);
  const heapAt = address(file, cursor);
  const tree = address(file, cursor);
  if (heapAt === undefined || tree === undefined) return [];
  const heap = readFractalHeap(file, heapAt);
  const found: { at: number; size: number }[] = [];
  for (const record of recordsOf(file, tree, type)) {
    if (type === LINK_NAMES) record.skip(4);
    found.push(heapObject(file, heap, record));
  }
  return found;
};

/** Reads the extension of a newer superblock, which may name a driver for several files. */
export const checkExtension = (file: Hdf5, extension: number): void => {
  try {
    const messages = readHeader(file, extension);
    if (messages.some(({ type }) => type === MESSAGE.driver)) reportDriver(file, extension);
    noteUnknown(file, messages, 'the superblock');
  } catch (error) {
    if (!isFault(error)) throw error;
    noteUnread(file, error.message);
  }
};

/** A driver that spreads one file over several. */
export const reportDriver = (file: Hdf5, at: number): void =>
  file.report('driver', 'medium', 'the file is only a part: its driver opens others', at, '', ['CWE-73']);
