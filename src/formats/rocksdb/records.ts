import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import { fromBytes } from '../../bytes/random-access.ts';
import { isFault } from '../../errors.ts';
import { readSlice, readVarint } from './block.ts';

/** Bytes before the changes of a batch: a number of the first, and how many. */
const BATCH = 12;
/** Kinds of changes by what follows: in a family of columns or not, a key alone or with a value (db/dbformat.h). */
const [KEY, PAIR] = [new Set([0x00, 0x07]), new Set([0x01, 0x02, 0x0f, 0x11, 0x16])];
const [FAMILY_KEY, FAMILY_PAIR] = [new Set([0x04, 0x08]), new Set([0x05, 0x06, 0x0e, 0x10, 0x17])];
/** Kinds with one text, and with nothing: of transactions. They are not counted. */
const [TEXT, ALONE] = [new Set([0x03, 0x0a, 0x0b, 0x0c]), new Set([0x09, 0x0d, 0x12, 0x13])];

/** Fields of a version (db/version_edit.h) by what they are made of: numbers, texts. */
const FIELDS: ReadonlyMap<number, string> = new Map([
  [1, 't'],
  [2, 'n'],
  [3, 'n'],
  [4, 'n'],
  [5, 'nt'],
  [6, 'nn'],
  [7, 'nnntt'],
  [9, 'n'],
  [10, 'n'],
  [100, 'nnnttnn'],
  [102, 'nnnnttnn'],
  [103, 'nnnttnn*'],
  [200, 'n'],
  [201, 't'],
  [202, ''],
  [203, 'n'],
  [300, 'n'],
]);
/** Later fields have this bit, and are texts that earlier readers leave out. */
const LATER = 1 << 13;
/** Ends the particulars of a file. */
const END = 1;

export type Change = { readonly key: Uint8Array; readonly value: Uint8Array };

const NOTHING = new Uint8Array(0);

/** A batch of changes (db/write_batch.cc); undefined when the record is none. */
export const changesOf = (record: Uint8Array): Change[] | undefined =>
  attempted(() => {
    const cursor = createCursor(fromBytes(record), BATCH);
    if (record.length < BATCH) return undefined;
    const changes: Change[] = [];
    let counted = 0;
    while (cursor.remaining() > 0) {
      const kind = cursor.u8();
      if (FAMILY_KEY.has(kind) || FAMILY_PAIR.has(kind)) readVarint(cursor);
      if (KEY.has(kind) || FAMILY_KEY.has(kind)) changes.push({ key: readSlice(cursor), value: NOTHING });
      else if (PAIR.has(kind) || FAMILY_PAIR.has(kind))
        changes.push({ key: readSlice(cursor), value: readSlice(cursor) });
      else if (TEXT.has(kind)) changes.push({ key: NOTHING, value: readSlice(cursor) });
      else if (!ALONE.has(kind)) return undefined;
      if (!TEXT.has(kind) && !ALONE.has(kind)) counted += 1;
    }
    const view = new DataView(record.buffer, record.byteOffset, record.length);
    return view.getUint32(8, true) === counted ? changes : undefined;
  });

/** The texts in a description of a version: names of families, of a comparator, keys; undefined when it is none. */
export const textsOfVersion = (record: Uint8Array): Uint8Array[] | undefined =>
  attempted(() => {
    const cursor = createCursor(fromBytes(record));
    const texts: Uint8Array[] = [];
    while (cursor.remaining() > 0) {
      const field = readVarint(cursor);
      const made = FIELDS.get(field) ?? (field > LATER && field < 2 * LATER ? 't' : undefined);
      if (made === undefined) return undefined;
      for (const part of made) {
        if (part === 'n') readVarint(cursor);
        else if (part === 't') texts.push(readSlice(cursor));
        else readParticulars(cursor, texts);
      }
    }
    return texts;
  });

const readParticulars = (cursor: Cursor, texts: Uint8Array[]): void => {
  while (readVarint(cursor) !== END) texts.push(readSlice(cursor));
};

const attempted = <T>(read: () => T): T | undefined => {
  try {
    return read();
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
};
