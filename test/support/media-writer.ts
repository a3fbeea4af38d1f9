import { deflateSync } from 'node:zlib';
import { bytes } from './reports.ts';

export const u32 = (value: number): Uint8Array =>
  Uint8Array.from([value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24]);

const chunk = (type: string, data: Uint8Array): Uint8Array => bytes(u32(data.length).reverse(), type, data, u32(0));

/** The smallest images and sounds that their readers walk to the end. */
const pngOf = (...chunks: readonly Uint8Array[]): Uint8Array =>
  bytes([0x89], 'PNG\r\n', [0x1a], '\n', chunk('IHDR', new Uint8Array(13)), ...chunks, chunk('IEND', new Uint8Array()));
export const png = pngOf(chunk('IDAT', bytes('xyz')));
/** An image with a caption under a key word. */
export const pngWith = (keyword: string, caption: string): Uint8Array =>
  pngOf(chunk('tEXt', bytes(keyword, [0], caption)), chunk('IDAT', bytes('xyz')));
export const jpeg = bytes(
  [0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xda, 0, 3, 0],
  [7, 0xff, 0, 9, 0xff, 0xd0, 3, 0xff, 0xd9],
);
export const gif = bytes(
  'GIF89a',
  [1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 1, 1, 1],
  [0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x4c, 1, 0],
  [0x3b],
);
export const wav = bytes('RIFF', u32(4 + 8 + 4), 'WAVE', 'data', u32(4), 'abcd');
export const webp = bytes('RIFF', u32(4 + 8 + 4), 'WEBP', 'VP8 ', u32(3), 'abc', [0]);
export const flac = bytes('fLaC', new Uint8Array(40));
/** The second line tells tools that a paper is not text (ISO 32000-1, 7.5.2). */
export const pdf = bytes('%PDF-1.7\n%', [0xe2, 0xe3, 0xcf, 0xd3], '\nx\n%%EOF\n');
/** A paper with one compressed stream of that type, cut after so many of its bytes. */
export const pdfWith = (type: string, text: string, filter = 'FlateDecode', kept?: number): Uint8Array =>
  bytes(
    `%PDF-1.7\n1 0 obj\n<</Type /${type} /Filter /${filter} /N 1>>\nstream\n`,
    deflateSync(text).subarray(0, kept),
    '\nendstream\nendobj\nx\n%%EOF\n',
  );

/** The first bytes of an executable, as much as tells what it is. */
export const elf = bytes([0x7f], 'ELF', new Uint8Array(60));

const portable = new Uint8Array(256);
portable.set(bytes('MZ'));
portable[0x3c] = 0x80;
portable.set(bytes('PE\0\0'), 0x80);

/** Programs by their first bytes. */
export const programs: Readonly<Record<string, Uint8Array>> = {
  elf,
  portable,
  'mach-o': bytes([0xcf, 0xfa, 0xed, 0xfe], new Uint8Array(60)),
  webassembly: bytes([0], 'asm', u32(1)),
  java: bytes([0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52]),
  llamafile: bytes("MZqFpD='\n", new Uint8Array(60)),
  library: bytes('!<arch>\n'),
};

/** Compiled Python of 3.11 and of 2.7. */
export const bytecode = bytes([0xa7, 0x0d, 0x0d, 0x0a], new Uint8Array(12), [0xe3], new Uint8Array(40));
export const oldBytecode = bytes([0x03, 0xf3, 0x0d, 0x0a], new Uint8Array(4), [0x63], new Uint8Array(40));
