import type { Cursor } from '../../bytes/cursor.ts';
import { within } from '../../bytes/limits.ts';
import { address, cursorAt, cursorIn, type Hdf5, invalid, length, signature, unsigned } from './file.ts';

/** Messages of one object header. Compact groups and attributes stay below some hundred. */
const MESSAGES = 100_000;
/** Blocks that continue one header. */
const BLOCKS = 4096;
/** Bytes of one block of messages. */
const BLOCK = 1 << 26;

/** Numbers of messages (HDF5 file format 3.0, IV.A.2). */
export const MESSAGE = {
  nil: 0x00,
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  oldFill: 0x04,
  fill: 0x05,
  link: 0x06,
  external: 0x07,
  layout: 0x08,
  groupInfo: 0x0a,
  filters: 0x0b,
  attribute: 0x0c,
  comment: 0x0d,
  oldTime: 0x0e,
  sharedTable: 0x0f,
  continuation: 0x10,
  symbolTable: 0x11,
  time: 0x12,
  treeValues: 0x13,
  driver: 0x14,
  attributeInfo: 0x15,
  references: 0x16,
  freeSpace: 0x17,
} as const;

const SHARED = 0x02;

export type Message = {
  readonly type: number;
  /** True when the data say only where the message is. */
  readonly shared: boolean;
  /** Where its data are. */
  readonly at: number;
  readonly size: number;
};

/** The messages of the object header at `start`, version 1 or 2, in all its blocks. */
export const readHeader = (file: Hdf5, start: number): Message[] => {
  const cursor = cursorAt(file, start);
  const first = cursor.u8();
  return first === 0x4f ? readVersion2(file, start) : readVersion1(file, start, first);
};

type Block = { readonly at: number; readonly size: number };

const readVersion1 = (file: Hdf5, start: number, version: number): Message[] => {
  if (version !== 1) invalid(`object header version ${version} is not known`, start);
  const cursor = cursorAt(file, start + 2);
  cursor.skip(6);
  const size = cursor.u32();
  const read = (inside: Cursor): Message | undefined => {
    if (inside.remaining() < 8) return undefined;
    const type = inside.u16();
    const bytes = inside.u16();
    const flags = inside.u8();
    inside.skip(3);
    return { type, shared: (flags & SHARED) !== 0, at: inside.position, size: bytes };
  };
  return readBlocks(file, [{ at: start + 16, size }], read);
};

const readVersion2 = (file: Hdf5, start: number): Message[] => {
  const cursor = cursorAt(file, start);
  signature(cursor, 'OHDR');
  if (cursor.u8() !== 2) invalid('object header version is not 2', start);
  const flags = cursor.u8();
  if ((flags & 0x20) !== 0) cursor.skip(16);
  if ((flags & 0x10) !== 0) cursor.skip(4);
  const size = unsigned(cursor, 2 ** (flags & 3));
  const ordered = (flags & 0x04) !== 0;
  const read = (inside: Cursor): Message | undefined => {
    if (inside.remaining() < (ordered ? 6 : 4)) return undefined;
    const type = inside.u8();
    const bytes = inside.u16();
    const own = inside.u8();
    if (ordered) inside.skip(2);
    return { type, shared: (own & SHARED) !== 0, at: inside.position, size: bytes };
  };
  return readBlocks(file, [{ at: cursor.position, size }], read, 'OCHK');
};

/** Reads blocks of messages, and those that continuation messages add; version 2 frames each with OCHK and a checksum. */
const readBlocks = (
  file: Hdf5,
  blocks: Block[],
  read: (inside: Cursor) => Message | undefined,
  frame = '',
): Message[] => {
  const messages: Message[] = [];
  const seen = new Set<number>();
  for (let block = blocks.shift(); block !== undefined; block = blocks.shift()) {
    if (seen.has(block.at)) invalid('a header continues in a block that it has already', block.at);
    seen.add(block.at);
    within('blocks of an object header', seen.size, BLOCKS);
    const inside = cursorIn(file, block.at, within('bytes of header messages', block.size, BLOCK));
    for (let found = read(inside); found !== undefined; found = read(inside)) {
      file.context.budget.spend('steps', 1);
      within('messages of an object header', messages.length + 1, MESSAGES);
      if (found.size > inside.remaining()) invalid('a header message ends behind its block', block.at + found.at);
      inside.skip(found.size);
      const message = { ...found, at: block.at + found.at };
      if (found.type === MESSAGE.continuation) blocks.push(continuation(file, message, frame));
      else if (found.type !== MESSAGE.nil) messages.push(message);
    }
  }
  return messages;
};

const continuation = (file: Hdf5, message: Message, frame: string): Block => {
  const cursor = cursorIn(file, message.at, message.size);
  const at = address(file, cursor);
  const size = length(file, cursor);
  if (at === undefined) return invalid('a header continues nowhere', message.at);
  if (frame === '') return { at, size };
  signature(cursorAt(file, at), frame);
  if (size < frame.length + 4) invalid('a block of header messages is too short', at);
  return { at: at + frame.length, size: size - frame.length - 4 };
};

/** The header that a shared message stands in, or undefined when it is in a heap of shared messages. */
export const sharedHeader = (file: Hdf5, cursor: Cursor): number | undefined => {
  const version = cursor.u8();
  const type = cursor.u8();
  if (version === 1) cursor.skip(6);
  if (version === 3 && type !== 2) return undefined;
  return address(file, cursor);
};
