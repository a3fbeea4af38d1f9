import { crc32 } from 'node:zlib';
import { u32, u64 } from './little-writer.ts';
import { bytes } from './reports.ts';

type File = { readonly name: string; readonly data: Uint8Array; readonly mode?: number };
type Archive = {
  readonly method?: readonly number[];
  /** What is declared instead of the real sizes and checksums. */
  readonly size?: number;
  readonly digest?: number;
  /** Bytes between the packed streams and the header. */
  readonly between?: Uint8Array;
};

/** Numbers below 128 are one byte, others up to 2^14 two. */
const number = (value: number): Uint8Array =>
  value < 0x80 ? bytes([value]) : bytes([0x80 | (value >> 8), value & 255]);
const property = (mark: number, ...parts: (Uint8Array | readonly number[])[]): Uint8Array => {
  const content = bytes(...parts);
  return bytes([mark], number(content.length), content);
};

/** A 7z archive whose files are stored, one folder each, with a header that is not packed (7zFormat.txt). */
export const sevenZipFile = (files: readonly File[], archive: Archive = {}): Uint8Array => {
  const { method = [0], between = bytes() } = archive;
  const packed = bytes(...files.map(({ data }) => data));
  const sizes = files.map(({ data }) => number(archive.size ?? data.length));
  const coder = bytes([1, method.length], method);
  const streams = bytes(
    bytes([6], number(0), number(files.length), [9], ...files.map(({ data }) => number(data.length)), [0]),
    bytes([7, 11], number(files.length), [0], ...files.map(() => coder), [12], ...sizes, [0]),
    bytes([8, 10, 1], ...files.map(({ data }) => u32(archive.digest ?? crc32(data))), [0]),
    [0],
  );
  const names = files.map(({ name }) => new Uint8Array(Buffer.from(`${name}\0`, 'utf16le')));
  const modes = files.map(({ mode = 0x81a4 }) => u32(((mode << 16) | 0x8000) >>> 0));
  const entries = bytes(
    [5],
    number(files.length),
    property(0x11, [0], ...names),
    property(0x15, [1, 0], ...modes),
    [0],
  );
  const header = bytes([1, 4], streams, entries, [0]);
  const start = bytes(u64(packed.length + between.length, header.length), u32(crc32(header)));
  return bytes([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c, 0, 4], u32(crc32(start)), start, packed, between, header);
};
