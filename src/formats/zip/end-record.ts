import { createCursor } from '../../bytes/cursor.ts';
import { MIB, within } from '../../bytes/limits.ts';
import { fromBytes, type RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { Deviation } from '../archive/member-names.ts';
import { WINDOW, type WindowedSource } from '../archive/window.ts';

/** Signatures of the zip specification (APPNOTE 4.3), as little-endian numbers. */
const ZIP64_LOCATOR = 0x07064b50;
const ZIP64_END = 0x06064b50;
const DIRECTORY = 0x02014b50;

const END_SIZE = 22;
const LOCATOR_SIZE = 20;
const ZIP64_END_SIZE = 56;
/** A comment has a 16-bit length. */
const SEARCHED = 0xffff + END_SIZE;
/** End records that are looked at in the tail of a file; honest files have one, or one for each stored zip inside. */
const CANDIDATES = 64;

/** Bytes of central directory: 46 and a name for each member, so a million of them. */
export const DIRECTORY_LIMIT = 64 * MIB;
/** Members of one archive. The largest published checkpoints have some ten thousand. */
export const MEMBER_LIMIT = 250_000;

export type EndRecord = {
  /** Where the central directory really begins in the source, and its bytes. */
  readonly directory: number;
  readonly directorySize: number;
  readonly members: number;
  /** Bytes before the archive: what has to be added to every offset in it. */
  readonly prefix: number;
};

const CONFUSION = ['CWE-436'];

const deviation = (
  rule: string,
  severity: Deviation['severity'],
  message: string,
  offset: number,
  evidence = '',
): Deviation => ({ rule, severity, message, offset, evidence, refs: CONFUSION });

/** Offsets in `bytes` at which an end record may begin, last first. */
const candidates = (bytes: Uint8Array): number[] => {
  const found: number[] = [];
  for (let i = bytes.length - END_SIZE; i >= 0 && found.length < CANDIDATES; i -= 1) {
    if (bytes[i] === 0x50 && bytes[i + 1] === 0x4b && bytes[i + 2] === 5 && bytes[i + 3] === 6) found.push(i);
  }
  return found;
};

type Fields = { entries: number; size: number; offset: number; comment: number; disks: number; thisDisk: number };

const readFields = (bytes: Uint8Array, at: number): Fields => {
  const cursor = createCursor(fromBytes(bytes), at + 4);
  const thisDisk = cursor.u16();
  const directoryDisk = cursor.u16();
  const here = cursor.u16();
  const entries = cursor.u16();
  return {
    disks: thisDisk | directoryDisk,
    thisDisk: here,
    entries,
    size: cursor.u32(),
    offset: cursor.u32(),
    comment: cursor.u16(),
  };
};

/** The last bytes of `source`, in which the end record must be. */
const readTail = (source: WindowedSource): { bytes: Uint8Array; from: number } => {
  const window = Math.min(source.size, WINDOW);
  source.fetch(source.size - window, window);
  const length = Math.min(source.size, SEARCHED);
  return { bytes: source.read(source.size - length, length), from: source.size - length };
};

/**
 * True when some reader would take `source` for a zip: it has an end record in its tail, and the directory that it
 * names (wherever the archive begins) starts with a directory entry.
 */
export const hasEndRecord = (source: RandomAccess): boolean => {
  const length = Math.min(source.size, SEARCHED);
  const from = source.size - length;
  const bytes = source.read(from, length);
  return candidates(bytes).some((at) => {
    const { entries, size, offset } = readFields(bytes, at);
    if (entries === 0) return size === 0 && offset === 0 && at + from === 0;
    const directory = from + at - size;
    if (size === 0xffffffff || offset === 0xffffffff) return isZip64(bytes, at);
    return directory >= offset && createCursor(source, directory).u32() === DIRECTORY;
  });
};

const isZip64 = (bytes: Uint8Array, at: number): boolean =>
  at >= LOCATOR_SIZE && createCursor(fromBytes(bytes), at - LOCATOR_SIZE).u32() === ZIP64_LOCATOR;

/**
 * Finds the end of central directory record as readers do, from the end backwards, and reports everything that another
 * reader could see differently: a second record, bytes before or behind, zip64 values that disagree (APPNOTE 4.3.14 to 4.3.16).
 */
export const readEndRecord = (source: WindowedSource, report: (deviation: Deviation) => void): EndRecord => {
  const { bytes, from } = readTail(source);
  const places = candidates(bytes);
  const at = places[0];
  if (at === undefined) {
    throw new WeighbridgeError('FORMAT_TRUNCATED', 'no end of central directory record', { offset: source.size });
  }
  const fields = readFields(bytes, at);
  const end = from + at;
  const behind = source.size - end - END_SIZE - fields.comment;
  if (behind !== 0) {
    report(
      deviation(
        'trailing-bytes',
        'high',
        `${Math.abs(behind)} bytes ${behind > 0 ? 'follow' : 'are missing after'} the end record`,
        end,
      ),
    );
  }
  for (const other of places.slice(1)) {
    const reach = other + END_SIZE + readFields(bytes, other).comment;
    if (reach === bytes.length && readFields(bytes, other).size <= from + other) {
      report(deviation('two-end-records', 'high', 'a second end record claims the same end of file', from + other));
    }
  }
  if (fields.disks !== 0 || fields.thisDisk !== fields.entries) {
    report(deviation('multi-disk', 'high', 'the archive claims to span several disks', end));
  }
  const zip64 = isZip64(bytes, at) ? readZip64(source, end, fields, report) : undefined;
  const { size, offset, entries, before } = zip64 ?? { ...fields, before: end };
  within('central directory bytes', size, DIRECTORY_LIMIT);
  within('zip members', entries, MEMBER_LIMIT);
  const directory = before - size;
  const prefix = directory - offset;
  if (directory < 0 || prefix < 0) {
    throw new WeighbridgeError('FORMAT_INVALID', 'the central directory does not lie inside the file', { offset: end });
  }
  if (prefix > 0) {
    report(
      deviation('prefix-bytes', 'high', `${prefix} bytes lie before the archive: other readers see another file`, 0),
    );
  }
  return { directory, directorySize: size, members: entries, prefix };
};

const readZip64 = (
  source: WindowedSource,
  end: number,
  fields: Fields,
  report: (deviation: Deviation) => void,
): { size: number; offset: number; entries: number; before: number } => {
  const locator = createCursor(source, end - LOCATOR_SIZE + 4);
  const disk = locator.u32();
  const claimed = locator.u64();
  const disks = locator.u32();
  const place = end - LOCATOR_SIZE - ZIP64_END_SIZE;
  const record = createCursor(source, place);
  if (place < 0 || record.u32() !== ZIP64_END || record.u64() !== ZIP64_END_SIZE - 12) {
    throw new WeighbridgeError('FORMAT_INVALID', 'no plain zip64 end record lies before its locator', { offset: end });
  }
  record.skip(4);
  const recordDisks = record.u32() | record.u32();
  const here = record.u64();
  const entries = record.u64();
  const size = record.u64();
  const offset = record.u64();
  if (disk !== 0 || disks > 1 || recordDisks !== 0 || here !== entries) {
    report(deviation('multi-disk', 'high', 'the archive claims to span several disks', place));
  }
  const agree = (value: number, short: number, all: number) => short === all || short === value;
  if (
    !agree(entries, fields.entries, 0xffff) ||
    !agree(size, fields.size, 0xffffffff) ||
    !agree(offset, fields.offset, 0xffffffff) ||
    claimed + (place - size - offset) !== place
  ) {
    report(deviation('zip64-disagrees', 'high', 'the zip64 end record and the end record disagree', place));
  }
  return { size, offset, entries, before: place };
};
