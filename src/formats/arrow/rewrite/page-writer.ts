import { PAGE_TYPE } from '../pages.ts';
import { compress } from './compress.ts';
import { joined } from './out.ts';
import { type Fields, i32, struct, TYPE, writeTree } from './thrift-tree.ts';
import { ENCODING } from './values.ts';

/** A page, header and body, and what both would take without compression. */
export type Written = { readonly bytes: Uint8Array; readonly uncompressed: number };

/** What a page of data is made of. Levels are packed, values encoded. */
export type DataPage = {
  /** Version 2 of pages. */
  readonly two: boolean;
  readonly codec: number;
  /** Values, nulls included; nulls; rows that begin in it. */
  readonly count: number;
  readonly nulls: number;
  readonly rows: number;
  readonly encoding: number;
  readonly repetitions: Uint8Array;
  readonly definitions: Uint8Array;
  readonly values: Uint8Array;
};

const pageOf = (type: number, size: number, body: Uint8Array, field: number, fields: Fields): Written => {
  const header = writeTree(
    new Map([
      [1, i32(type)],
      [2, i32(size)],
      [3, i32(body.length)],
      [field, struct(fields)],
    ]),
  );
  return { bytes: joined(header, body), uncompressed: header.length + size };
};

/** A dictionary of `count` values as PLAIN has them. */
export const dictionaryPage = (codec: number, values: Uint8Array, count: number): Written => {
  const fields: Fields = new Map([
    [1, i32(count)],
    [2, i32(ENCODING.plain)],
  ]);
  return pageOf(PAGE_TYPE.dictionary, values.length, compress(codec, values), 7, fields);
};

/** A page of data. It carries no statistics and no checksum: both are for readers to do without. */
export const dataPage = (page: DataPage): Written => (page.two ? pageTwo(page) : pageOne(page));

/** Levels of version 1 stand behind their length. */
const behindLength = (levels: Uint8Array): Uint8Array => {
  if (levels.length === 0) return levels;
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, levels.length, true);
  return joined(length, levels);
};

const pageOne = ({ codec, count, encoding, repetitions, definitions, values }: DataPage): Written => {
  const plain = joined(behindLength(repetitions), behindLength(definitions), values);
  const fields: Fields = new Map([
    [1, i32(count)],
    [2, i32(encoding)],
    [3, i32(ENCODING.hybrid)],
    [4, i32(ENCODING.hybrid)],
  ]);
  return pageOf(PAGE_TYPE.one, plain.length, compress(codec, plain), 5, fields);
};

/** Levels of version 2 are never compressed, and values where it makes them smaller. */
const pageTwo = ({ codec, count, nulls, rows, encoding, repetitions, definitions, values }: DataPage): Written => {
  const packed = compress(codec, values);
  const smaller = packed.length < values.length;
  const body = joined(repetitions, definitions, smaller ? packed : values);
  const fields: Fields = new Map([
    [1, i32(count)],
    [2, i32(nulls)],
    [3, i32(rows)],
    [4, i32(encoding)],
    [5, i32(definitions.length)],
    [6, i32(repetitions.length)],
    [7, { type: smaller ? TYPE.yes : TYPE.no }],
  ]);
  return pageOf(PAGE_TYPE.two, repetitions.length + definitions.length + values.length, body, 8, fields);
};
