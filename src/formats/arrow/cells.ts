import type { Budget } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { PAGE } from './decompress.ts';
import { readDeltaLengths, readDeltaStrings, readHybrid, readPlain } from './encodings.ts';
import { type Chunk, openDictionary, openPage, PAGE_TYPE, type Page, pagesOf } from './pages.ts';

/** A cell: its bytes and the row of the group that it belongs to. `entry` names the entry of a dictionary. */
export type Cell = { readonly bytes: Uint8Array; readonly row: number; readonly offset: number };

const invalid = (message: string, offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `Parquet: ${message}`, { offset });
};

/** The cells of a column chunk of byte arrays, page by page. Throws FORMAT_INVALID, FORMAT_TRUNCATED and LIMIT_EXCEEDED. */
export const cellsOf = function* (source: RandomAccess, chunk: Chunk, budget: Budget): Generator<Cell> {
  let dictionary: readonly Uint8Array[] = [];
  let row = -1;
  for (const at of pagesOf(source, chunk, budget)) {
    if (at.type === PAGE_TYPE.index) continue;
    if (at.type === PAGE_TYPE.dictionary) {
      const { reader, count } = openDictionary(source, at, chunk);
      dictionary = readPlain(reader, count);
      continue;
    }
    const page = openPage(source, at, chunk);
    const values = valuesOf(page, dictionary, at.body);
    let used = 0;
    for (let index = 0; index < page.count; index++) {
      if (chunk.repetition === 0 || page.repetitions?.[index] === 0) row += 1;
      if (chunk.definition > 0 && page.definitions?.[index] !== chunk.definition) continue;
      const cell = values[used++];
      if (cell !== undefined) yield { bytes: cell, row: Math.max(0, row), offset: at.body };
    }
  }
};

const valuesOf = ({ reader, encoding, present: count }: Page, dictionary: readonly Uint8Array[], offset: number) => {
  if (count === 0) return [];
  switch (encoding) {
    case 0:
      return readPlain(reader, count);
    case 2:
    case 8: {
      const width = reader.bytes[reader.at++] ?? invalid('a page ends early', offset);
      const indices = readHybrid(reader, width, count);
      return Array.from(indices, (index) => dictionary[index] ?? invalid('an entry that the dictionary lacks', offset));
    }
    case 6:
      return readDeltaLengths(reader);
    case 7:
      return readDeltaStrings(reader, PAGE);
    default:
      return invalid(`encoding ${encoding} of byte arrays`, offset);
  }
};
