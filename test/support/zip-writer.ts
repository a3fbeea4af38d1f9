import { deflateRawSync } from 'node:zlib';
import { crc32 } from '../../src/formats/archive/checksum.ts';

/** One member, with the lies that a hostile writer could tell about it. */
export type ZipEntry = {
  readonly name: string;
  readonly data?: Uint8Array | string;
  readonly method?: 'stored' | 'deflated';
  /** Overrides of what the headers say; data stay as they are. */
  readonly local?: Partial<HeaderLies>;
  readonly central?: Partial<HeaderLies>;
  /** `descriptor` follows the data: 12, 16, 20 or 24 bytes, and the local header is silent about sizes. */
  readonly descriptor?: 12 | 16 | 20 | 24;
  /** Leaves the checksum at 0 everywhere, as `torch.serialization.set_crc32_options(False)` does. */
  readonly unsummed?: boolean;
  /** Unix mode for the external attributes, e.g. 0o120777 for a link. */
  readonly mode?: number;
  /** Bytes for the local extra field, beside the padding. */
  readonly extra?: Uint8Array;
  readonly centralExtra?: Uint8Array;
  /** Aligns the data as torch does, with an "FB" extra field. */
  readonly align?: number;
  /** Bytes between this record and the next. */
  readonly gap?: Uint8Array;
};

type HeaderLies = {
  name: string;
  method: number;
  flags: number;
  crc: number;
  size: number;
  compressedSize: number;
  offset: number;
};

export type ZipLies = {
  readonly prefix?: Uint8Array;
  readonly comment?: Uint8Array;
  readonly trailing?: Uint8Array;
  readonly zip64?: boolean;
  /** Overrides in the end record. */
  readonly end?: { readonly entries?: number; readonly size?: number; readonly offset?: number };
};

const bytesOf = (data: Uint8Array | string): Uint8Array =>
  typeof data === 'string' ? Buffer.from(data, 'utf8') : data;

/** Little-endian numbers: [bytes, value] pairs. */
const pack = (...fields: readonly (readonly [2 | 4 | 8, number])[]): Buffer => {
  const out = Buffer.alloc(fields.reduce((sum, [width]) => sum + width, 0));
  let at = 0;
  for (const [width, value] of fields) {
    if (width === 2) out.writeUInt16LE(value, at);
    else if (width === 4) out.writeUInt32LE(value >>> 0, at);
    else out.writeBigUInt64LE(BigInt(value), at);
    at += width;
  }
  return out;
};

const alignment = (start: number, boundary: number): Buffer => {
  const padding = (boundary - ((start + 4) % boundary)) % boundary;
  return Buffer.concat([Buffer.from('FB'), pack([2, padding]), Buffer.alloc(padding, 'Z')]);
};

/** A zip file of the given members: correct unless told to lie. */
export const writeZip = (entries: readonly ZipEntry[], lies: ZipLies = {}): Buffer => {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  const push = (...chunks: Uint8Array[]) => {
    for (const chunk of chunks) {
      parts.push(Buffer.from(chunk));
      at += chunk.length;
    }
  };
  for (const entry of entries) {
    const plain = bytesOf(entry.data ?? '');
    const data = entry.method === 'deflated' ? deflateRawSync(plain) : plain;
    const ascii = /^[\x00-\x7f]*$/.test(entry.name);
    const truth: HeaderLies = {
      name: entry.name,
      method: entry.method === 'deflated' ? 8 : 0,
      flags: (entry.descriptor === undefined ? 0 : 8) | (ascii ? 0 : 0x800),
      crc: entry.unsummed === true ? 0 : crc32(plain),
      size: plain.length,
      compressedSize: data.length,
      offset: at,
    };
    const silent = entry.descriptor === undefined ? {} : { crc: 0, size: 0, compressedSize: 0 };
    const local = { ...truth, ...silent, ...entry.local };
    const localName = bytesOf(local.name);
    const fixed = entry.extra ?? new Uint8Array(0);
    const padding =
      entry.align === undefined ? Buffer.alloc(0) : alignment(at + 30 + localName.length + fixed.length, entry.align);
    const extra = Buffer.concat([fixed, padding]);
    push(
      pack([4, 0x04034b50], [2, 20], [2, local.flags], [2, local.method], [2, 0], [2, 0x21]),
      pack([4, local.crc], [4, local.compressedSize], [4, local.size], [2, localName.length], [2, extra.length]),
      localName,
      extra,
      data,
    );
    if (entry.descriptor !== undefined) {
      const width = entry.descriptor >= 20 ? 8 : 4;
      if (entry.descriptor % 8 === 0) push(pack([4, 0x08074b50]));
      push(pack([4, truth.crc], [width, truth.compressedSize], [width, truth.size]));
    }
    if (entry.gap !== undefined) push(entry.gap);
    const central = { ...truth, ...entry.central };
    const centralName = bytesOf(central.name);
    const centralExtra = entry.centralExtra ?? new Uint8Array(0);
    directory.push(
      pack(
        [4, 0x02014b50],
        [2, entry.mode === undefined ? 20 : 0x0314],
        [2, 20],
        [2, central.flags],
        [2, central.method],
        [2, 0],
        [2, 0x21],
      ),
      pack(
        [4, central.crc],
        [4, central.compressedSize],
        [4, central.size],
        [2, centralName.length],
        [2, centralExtra.length],
      ),
      pack([2, 0], [2, 0], [2, 0], [4, (entry.mode ?? 0) * 65536], [4, central.offset]),
      Buffer.from(centralName),
      Buffer.from(centralExtra),
    );
  }
  const start = at;
  const listed = Buffer.concat(directory);
  push(listed);
  const count = lies.end?.entries ?? entries.length;
  const size = lies.end?.size ?? listed.length;
  const offset = lies.end?.offset ?? start;
  if (lies.zip64 === true) {
    const place = at;
    push(
      pack([4, 0x06064b50], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0], [8, count], [8, count], [8, size], [8, offset]),
    );
    push(pack([4, 0x07064b50], [4, 0], [8, place], [4, 1]));
  }
  const short = (value: number, all: number) => (lies.zip64 === true ? all : value);
  const comment = lies.comment ?? new Uint8Array(0);
  push(
    pack([4, 0x06054b50], [2, 0], [2, 0], [2, short(count, 0xffff)], [2, short(count, 0xffff)]),
    pack([4, short(size, 0xffffffff)], [4, short(offset, 0xffffffff)], [2, comment.length]),
    comment,
    lies.trailing ?? new Uint8Array(0),
  );
  return Buffer.concat([lies.prefix ?? new Uint8Array(0), ...parts]);
};
