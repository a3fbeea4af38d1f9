import { exceeded, MIB, within } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { ByteReader } from '../archive/byte-reader.ts';
import { crc32, crc64 } from '../archive/checksum.ts';
import type { Sink } from '../archive/sink.ts';
import { createLzmaDecoder, LITERAL_BITS, propertiesOf } from './lzma-decoder.ts';
import { compressedFormat } from './stream.ts';

const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const LZMA2 = 0x21;
/** Dictionary that a block may ask for: `xz -9` asks for 64 MiB. */
export const DICTIONARY_LIMIT = 1536 * MIB;
const BLOCK_LIMIT = 1_000_000;
/** Bytes of the integrity check, by its id (xz file format 2.1.1.2). */
const CHECK_SIZES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

const invalid = (message: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `xz: ${message}`);
};

type Record = { readonly unpadded: number; readonly size: number };

/** Runs `read` over a part of the input and checks the CRC-32 that follows it. */
const withChecksum = <T>(input: ByteReader, read: () => T): T => {
  const start = input.position;
  const result = read();
  const length = input.position - start;
  input.position = start;
  const sum = crc32(input.bytes(length));
  return input.u32() === sum ? result : invalid('the checksum of a header is wrong');
};

/** A number of seven bits a byte (section 1.2). */
const variable = (input: ByteReader): number => {
  let value = 0;
  for (let i = 0; i < 9; i += 1) {
    const byte = input.next();
    if (byte === 0 && i > 0) invalid('a number is not in its shortest form');
    value += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return Number.isSafeInteger(value) ? value : exceeded('xz number', Number.MAX_SAFE_INTEGER);
  }
  return invalid('a number is too long');
};

const zeros = (input: ByteReader, count: number): void => {
  for (let i = 0; i < count; i += 1) if (input.next() !== 0) invalid('padding is not zero');
};

/** Block header (section 3.1); the only filter that is read is LZMA2 alone. */
const readBlockHeader = (input: ByteReader, headerSize: number) =>
  withChecksum(input, () => {
    const end = input.position + headerSize - 4;
    input.next();
    const flags = input.next();
    if ((flags & 0x3c) !== 0) invalid('reserved flags');
    const compressed = (flags & 0x40) !== 0 ? variable(input) : undefined;
    const plain = (flags & 0x80) !== 0 ? variable(input) : undefined;
    if ((flags & 3) !== 0 || variable(input) !== LZMA2 || variable(input) !== 1) invalid('a filter other than LZMA2');
    const dictionary = dictionaryOf(input.next());
    if (input.position > end) invalid('a block header is too short');
    zeros(input, end - input.position);
    return { compressed, plain, dictionary };
  });

/** Bytes of the dictionary that the one byte of properties of LZMA2 names. */
export const dictionaryOf = (exponent: number): number => {
  if (exponent > 40) invalid('dictionary size');
  const size = exponent === 40 ? 2 ** 32 - 1 : (2 | (exponent & 1)) * 2 ** ((exponent >>> 1) + 11);
  return within('xz dictionary', size, DICTIONARY_LIMIT);
};

/** LZMA2 chunks up to the end marker (liblzma, lzma2_decoder.c). */
export const readChunks = (input: ByteReader, sink: Sink, dictionary: number): void => {
  const decoder = createLzmaDecoder(input, sink, dictionary);
  let needDictionary = true;
  let needProperties = true;
  let needState = true;
  for (;;) {
    const control = input.next();
    if (control === 0) return;
    if (control === 1 || control >= 0xe0) {
      decoder.resetDictionary();
      needDictionary = false;
      if (control === 1) needProperties = true;
    } else if (needDictionary) invalid('the first chunk does not reset the dictionary');
    const size = ((control >= 0x80 ? control & 0x1f : 0) << 16) + (input.next() << 8) + input.next() + 1;
    if (control < 0x80) {
      if (control > 2) invalid('chunk type');
      sink.append(input.bytes(size));
      continue;
    }
    const packed = (input.next() << 8) + input.next() + 1;
    const reset = (control >>> 5) & 3;
    if (reset >= 2) {
      const properties = propertiesOf(input.next());
      within('lzma lc + lp', properties.lc + properties.lp, LITERAL_BITS);
      decoder.resetState(properties);
      needProperties = false;
      needState = false;
    } else if (needProperties) invalid('a chunk without properties');
    else if (reset === 1) {
      decoder.resetChances();
      needState = false;
    } else if (needState) invalid('a chunk without state');
    const start = input.position;
    decoder.begin();
    decoder.decode(size, false);
    if (input.position - start !== packed || !decoder.atEnd()) invalid('a chunk has another size than declared');
  }
};

const readCheck = (input: ByteReader, kind: number, plain: Uint8Array, note: (message: string) => void): void => {
  const stored = input.bytes(CHECK_SIZES[kind] ?? 0);
  const view = new DataView(stored.buffer, stored.byteOffset, stored.length);
  if (kind === 1) {
    if (view.getUint32(0, true) !== crc32(plain)) invalid('the checksum is wrong');
  } else if (kind === 4) {
    if (view.getBigUint64(0, true) !== crc64(plain)) invalid('the checksum is wrong');
  } else note(`the integrity check of kind ${kind} was not verified`);
};

const readBlock = (
  input: ByteReader,
  sink: Sink,
  kind: number,
  headerSize: number,
  note: (message: string) => void,
): Record => {
  const start = input.position;
  const header = readBlockHeader(input, headerSize);
  const data = input.position;
  const begin = sink.length;
  readChunks(input, sink, header.dictionary);
  const compressed = input.position - data;
  const size = sink.length - begin;
  if ((header.compressed ?? compressed) !== compressed || (header.plain ?? size) !== size)
    invalid('a block has other sizes than declared');
  const unpadded = input.position - start + (CHECK_SIZES[kind] ?? 0);
  zeros(input, (4 - (compressed % 4)) % 4);
  readCheck(input, kind, sink.bytes.subarray(begin, sink.length), note);
  return { unpadded, size };
};

/** Index (section 4): it must list exactly the blocks that were read. Returns its length. */
const readIndex = (input: ByteReader, blocks: readonly Record[]): number => {
  const start = input.position;
  withChecksum(input, () => {
    input.next();
    if (variable(input) !== blocks.length) invalid('the index lists another number of blocks');
    for (const { unpadded, size } of blocks) {
      if (variable(input) !== unpadded || variable(input) !== size) invalid('the index and a block disagree');
    }
    zeros(input, (4 - ((input.position - start) % 4)) % 4);
  });
  return input.position - start;
};

const decode = (input: ByteReader, sink: Sink, note: (message: string) => void): void => {
  for (const byte of MAGIC) if (input.next() !== byte) invalid('no header');
  const kind = withChecksum(input, () => (input.next() === 0 ? input.next() : invalid('reserved flags')));
  if (kind > 15) invalid('reserved flags');
  const blocks: Record[] = [];
  for (;;) {
    const size = input.next();
    input.position -= 1;
    if (size === 0) break;
    blocks.push(readBlock(input, sink, kind, (size + 1) * 4, note));
    within('xz blocks', blocks.length, BLOCK_LIMIT);
  }
  const indexSize = readIndex(input, blocks);
  const sum = input.u32();
  const footer = input.bytes(6);
  const view = new DataView(footer.buffer, footer.byteOffset, 6);
  if (
    crc32(footer) !== sum ||
    (view.getUint32(0, true) + 1) * 4 !== indexSize ||
    footer[4] !== 0 ||
    footer[5] !== kind
  ) {
    invalid('the footer is wrong');
  }
  if (input.next() !== 0x59 || input.next() !== 0x5a) invalid('the footer is wrong');
};

/** True when a stream of xz begins like these bytes. */
export const isXz = (head: Uint8Array): boolean => MAGIC.every((byte, at) => head[at] === byte);

export const xz = compressedFormat({
  name: 'xz',
  title: 'xz',
  begins: [0xfd],
  recognisedBy: 'The magic FD 37 7A 58 5A 00.',
  checks:
    'Headers, blocks, index and footer with their checksums; CRC-32 and CRC-64 of the content (another check is stated, not ' +
    'verified); LZMA2 only; nothing behind but padding. The content is inspected.',
  references: ['The .xz File Format 1.2.1', 'lzma-specification.txt'],
  recognise: isXz,
  decode,
  another: (input) => {
    const at = input.position;
    const more = MAGIC.every((byte) => input.poll() === byte);
    input.position = at;
    return more;
  },
  padding: true,
});
