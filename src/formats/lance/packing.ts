import { type Budget, within } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';
import { decompressed, PAGE } from '../arrow/decompress.ts';

/** How the bytes of texts are packed, from the outside in; the first step is undone first. */
export type Packing = {
  /** Bytes of an offset or a length. */
  readonly width: number;
  readonly codec?: 'zstd' | 'lz4';
  readonly symbols?: Symbols;
};
/** The texts that stand for bytes (FSST), one behind the other in `bytes`, each in eight. */
type Symbols = { readonly bytes: Uint8Array; readonly lengths: Uint8Array };

/** Bytes before the symbols of a table, and of each. */
const [HEADER, SYMBOL] = [8, 8];
/** The byte behind which one stands for itself. */
const ESCAPE = 255;
/** The mark of a table (its upper four bytes), and the bit without which nothing is packed. */
const [MAGIC, SWITCH] = [0x46535354, 1 << 24];

export const invalid: (message: string, offset: number) => never = (message, offset) => {
  throw new WeighbridgeError('FORMAT_INVALID', `Lance: ${message}`, { offset });
};

/** A table of symbols (rust/compression/fsst, `export`); undefined when it says that nothing is packed. */
export const symbolsOf = (table: Uint8Array, offset: number): Symbols | undefined => {
  if (table.length < HEADER) return invalid('a table of symbols ends early', offset);
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  if (view.getUint32(4, true) !== MAGIC) invalid('a table of symbols without its mark', offset);
  const told = view.getUint32(0, true);
  if ((told & SWITCH) === 0) return undefined;
  const count = told & 0xff;
  const end = HEADER + count * SYMBOL;
  if (end + count > table.length) invalid('a table of symbols ends early', offset);
  const lengths = table.subarray(end, end + count);
  if (lengths.some((length) => length === 0 || length > SYMBOL)) invalid('a symbol of a length that is none', offset);
  return { bytes: table.subarray(HEADER, end), lengths };
};

/** The text of which `packed` holds the symbols. */
const unpack = ({ bytes, lengths }: Symbols, packed: Uint8Array, offset: number): Uint8Array => {
  let size = 0;
  for (let at = 0; at < packed.length; at++) {
    const code = packed[at] ?? 0;
    if (code === ESCAPE) at += 1;
    size += code === ESCAPE ? 1 : (lengths[code] ?? invalid('a symbol that the table lacks', offset));
    if (at >= packed.length) invalid('a text ends within a symbol', offset);
  }
  const text = new Uint8Array(size);
  for (let [at, to] = [0, 0]; at < packed.length; at++) {
    const code = packed[at] ?? 0;
    if (code === ESCAPE) {
      at += 1;
      text[to] = packed[at] ?? 0;
      to += 1;
      continue;
    }
    const length = lengths[code] ?? 0;
    for (let index = 0; index < length; index++) text[to + index] = bytes[code * SYMBOL + index] ?? 0;
    to += length;
  }
  return text;
};

/** A buffer as it was before it was compressed: what it becomes is said before it, in eight bytes or in four. */
export const decompress = (codec: Packing['codec'], packed: Uint8Array, offset: number, budget: Budget): Uint8Array => {
  if (codec === undefined || packed.length === 0) return packed;
  const before = codec === 'zstd' ? 8 : 4;
  if (packed.length < before) return invalid('a compressed buffer ends early', offset);
  const size = within('bytes of a page', numberAt(packed, 0, before, offset), PAGE);
  budget.spend('bytesInflated', size);
  const content = decompressed(codec === 'zstd' ? 'zstd' : 'lz4 block', packed.subarray(before), size, offset);
  return content.length === size ? content : invalid('a buffer has another size than it says', offset);
};

/** One text that is packed by itself. */
export const textOf = ({ symbols }: Packing, packed: Uint8Array, offset: number, budget: Budget): Uint8Array => {
  if (symbols === undefined) return packed;
  const text = unpack(symbols, packed, offset);
  budget.spend('bytesInflated', text.length);
  return text;
};

/** A little-endian number of `width` bytes. Throws FORMAT_TRUNCATED behind the end and FORMAT_INVALID over 2^53-1. */
export const numberAt = (bytes: Uint8Array, at: number, width: number, offset: number): number => {
  if (at + width > bytes.length)
    throw new WeighbridgeError('FORMAT_TRUNCATED', 'Lance: a number ends behind its buffer', { offset });
  let value = 0;
  for (let index = width - 1; index >= 0; index--) value = value * 256 + (bytes[at + index] ?? 0);
  return Number.isSafeInteger(value) ? value : invalid('a number is too large', offset);
};
