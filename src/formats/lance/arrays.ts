import { within } from '../../bytes/limits.ts';
import { PAGE } from '../arrow/decompress.ts';
import { look, one, type Wire } from '../protobuf/walk.ts';
import { latinOf } from '../protobuf/wire.ts';
import { countOf } from './layout.ts';
import { decompress, invalid, numberAt, type Packing, symbolsOf, textOf } from './packing.ts';
import type { Buffers, Reading } from './texts.ts';

/** Arrays inside each other: lists of fixed size in a dictionary and the like. */
const DEPTH = 8;
/** Bytes of an offset. */
const WIDTH = 8;

type Range = { readonly start: number; readonly end: number };
type Page = { readonly wire: Wire; readonly buffers: Buffers; readonly reading: Reading };
type Fields = ReturnType<typeof look>;

/** Shows every text of a page of version 2.0. Returns why it was not read; nothing when it was, or has numbers alone. */
export const readArray = (page: Page, range: Range | undefined, rows: number, depth = 0): string => {
  if (range === undefined || depth > DEPTH) return 'an encoding that is missing or too deep';
  const fields = look(page.wire, 'Array', range);
  const [found, ...more] = [...fields.values()].flat();
  if (found === undefined || more.length > 0) return 'an encoding that is not known';
  const own = found.spec === undefined ? new Map() : look(page.wire, found.spec.message, found);
  switch (found.name) {
    case 'flat':
    case 'bits':
    case 'positive':
    case 'struct':
    case 'packed':
      return '';
    case 'list':
      return readArray(page, one(own, 'offsets'), rows, depth + 1);
    case 'fixed_list':
      return readArray(page, one(own, 'items'), rows, depth + 1);
    case 'nullable':
      return readNullable(page, own, rows, depth);
    case 'dictionary': {
      const numbers = readArray(page, one(own, 'indices'), 0, depth + 1);
      return numbers === '' ? readArray(page, one(own, 'items'), countOf(own, 'entries'), depth + 1) : numbers;
    }
    case 'binary':
      return readBinary(page, own, rows, undefined);
    case 'fsst': {
      const [table, inner] = [one(own, 'symbols'), one(own, 'binary')];
      const binary = inner === undefined ? undefined : one(look(page.wire, 'Array', inner), 'binary');
      if (table === undefined || binary === undefined) return 'symbols of no texts';
      const symbols = symbolsOf(page.wire.source.read(table.start, table.end - table.start), table.start);
      return readBinary(page, look(page.wire, 'ArrayBinary', binary), rows, symbols);
    }
    default:
      return `the encoding ${found.name}`;
  }
};

const readNullable = (page: Page, own: Fields, rows: number, depth: number): string => {
  const [none, some] = [one(own, 'none'), one(own, 'some')];
  if (none !== undefined) return readArray(page, one(look(page.wire, 'ArrayOnly', none), 'values'), rows, depth + 1);
  return some === undefined ? '' : readArray(page, one(look(page.wire, 'ArraySome', some), 'values'), rows, depth + 1);
};

/** Texts one behind the other, and where each ends; what is added to a place says that there is none. */
const readBinary = (page: Page, own: Fields, rows: number, symbols: Packing['symbols']): string => {
  const { reading } = page;
  const { budget, visit } = reading;
  const [indices, bytes] = [flatOf(page, one(own, 'indices')), flatOf(page, one(own, 'bytes'))];
  const adjustment = countOf(own, 'adjustment');
  if (
    indices === undefined ||
    bytes === undefined ||
    indices.bits !== WIDTH * 8 ||
    bytes.bits !== 8 ||
    adjustment === 0
  )
    return 'texts of a kind that is not known';
  const ends = unpacked(page, indices);
  const content = unpacked(page, bytes);
  if (ends === undefined || content === undefined) return 'a compression that is not known';
  if (ends.length !== rows * WIDTH) return invalid('not as many texts as it says', indices.at);
  budget.spend('steps', rows);
  let start = 0;
  for (let row = 0; row < rows; row++) {
    const told = numberAt(ends, row * WIDTH, WIDTH, indices.at);
    const end = told % adjustment;
    if (end < start || end > content.length) invalid('a text leaves its page', bytes.at);
    const packing = { width: WIDTH, ...(symbols === undefined ? {} : { symbols }) };
    visit(textOf(packing, content.subarray(start, end), bytes.at, budget), row, bytes.at);
    start = end;
  }
  return start === content.length ? '' : invalid('bytes that no text has', bytes.at + start);
};

type Flat = { readonly bits: number; readonly at: number; readonly length: number; readonly scheme: string };

/** The buffer behind an array of numbers of one width, none of which is missing. */
const flatOf = ({ wire, buffers }: Page, range: Range | undefined): Flat | undefined => {
  if (range === undefined) return undefined;
  const array = look(wire, 'Array', range);
  const nullable = one(array, 'nullable');
  const none = nullable === undefined ? undefined : one(look(wire, 'ArrayNullable', nullable), 'none');
  const values = none === undefined ? undefined : one(look(wire, 'ArrayOnly', none), 'values');
  const flat = one(values === undefined ? array : look(wire, 'Array', values), 'flat');
  if (flat === undefined) return undefined;
  const own = look(wire, 'ArrayFlat', flat);
  const [buffer, compression] = [one(own, 'buffer'), one(own, 'compression')];
  const place = buffer === undefined ? undefined : look(wire, 'ArrayBuffer', buffer);
  if (place === undefined || countOf(place, 'kind') !== 0) return undefined;
  const found = buffers[countOf(place, 'index')] ?? invalid('a buffer is missing', 0);
  const scheme =
    compression === undefined
      ? 'none'
      : latinOf(wire.source, one(look(wire, 'ArrayCompression', compression), 'scheme'), 20);
  return { bits: countOf(own, 'bits'), at: found.start, length: found.length, scheme };
};

const unpacked = ({ reading }: Page, { at, length, scheme }: Flat): Uint8Array | undefined => {
  const bytes = reading.source.read(at, within('bytes of a page', length, PAGE));
  if (scheme === 'none') return bytes;
  return scheme === 'zstd' || scheme === 'lz4' ? decompress(scheme, bytes, at, reading.budget) : undefined;
};
