import { latin1 } from '../../bytes/latin1.ts';
import { checkRange, type RandomAccess } from '../../bytes/random-access.ts';
import { decodeUtf8 } from '../../bytes/utf8.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Deviation, judgeName, judgeTwins } from '../archive/member-names.ts';
import { WINDOW, type WindowedSource, windowed } from '../archive/window.ts';
import { type Context, printable } from '../format.ts';
import { readEndRecord } from './end-record.ts';
import { readZip64, splitExtra } from './extra.ts';

const ENTRY = 0x02014b50;
const ENTRY_SIZE = 46;
/** Unix file types in the high half of the external attributes. */
const TYPE_MASK = 0o170000;
const SYMLINK = 0o120000;
const REGULAR = 0o100000;
const DIRECTORY_TYPE = 0o040000;

/** One member as the central directory tells it. Offsets are into the source, the prefix already added. */
export type ZipMember = {
  readonly name: string;
  /** The name's bytes, one character each, for comparing with the local header. */
  readonly rawName: string;
  readonly flags: number;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  readonly localHeader: number;
  /** Where the next record begins: the member and its descriptor must fill everything up to here. */
  readonly recordEnd: number;
  readonly kind: 'file' | 'folder' | 'link' | 'special';
  /** Where its entry in the central directory is. */
  readonly entry: number;
};

export type ZipDirectory = {
  readonly source: WindowedSource;
  readonly members: readonly ZipMember[];
  /** What is wrong with the end records and the directory. */
  readonly deviations: readonly Deviation[];
  /** True when the writer left every checksum at 0 by its own option, so that none says anything; see `withoutSums` of torch archives. */
  readonly unsummed?: boolean;
};

const known = new WeakMap<RandomAccess, ZipDirectory>();

/**
 * The central directory of the zip in `source` (APPNOTE 4.3.12), read once per source: one window from the end and one
 * read for what it did not hold. Throws FORMAT_TRUNCATED, FORMAT_INVALID or LIMIT_EXCEEDED.
 */
export const readZipDirectory = (source: RandomAccess): ZipDirectory => {
  const before = known.get(source);
  if (before !== undefined) return before;
  const deviations: Deviation[] = [];
  const report = (deviation: Deviation) => deviations.push(deviation);
  const view = windowed(source);
  const end = readEndRecord(view, report);
  const tail = Math.max(0, source.size - WINDOW);
  if (end.directory < tail) view.fetch(end.directory, end.directorySize);
  const entries = parseEntries(view, end, report);
  const members = withRecordEnds(entries, end.directory, end.prefix, report);
  for (const member of members) deviations.push(...judgeName(member.name, member.entry));
  deviations.push(...judgeTwins(members.map(({ name, entry }) => ({ name, offset: entry }))));
  const directory = { source: view, members, deviations };
  known.set(source, directory);
  return directory;
};

/** Reports what is wrong with the directory, as findings of `format`. */
export const reportDeviations = (deviations: readonly Deviation[], context: Context, format: string): void => {
  for (const { rule, ...rest } of deviations) context.report({ rule: `${format}.${rule}`, ...rest });
};

type Entry = Omit<ZipMember, 'recordEnd'>;
type Report = (deviation: Deviation) => void;

const parseEntries = (
  source: WindowedSource,
  end: { directory: number; directorySize: number; members: number; prefix: number },
  report: Report,
): Entry[] => {
  const bytes = source.read(end.directory, end.directorySize);
  const entries: Entry[] = [];
  let at = 0;
  while (at < bytes.length) {
    const entry = parseEntry(bytes, at, end.directory, end.prefix, report);
    entries.push(entry.value);
    at = entry.next;
    if (entries.length > end.members) break;
  }
  if (entries.length !== end.members || at !== bytes.length) {
    const message = `the end record counts ${end.members} members, the directory holds ${entries.length} or more`;
    report({ rule: 'count', severity: 'high', message, offset: end.directory, evidence: '', refs: ['CWE-436'] });
  }
  return entries;
};

const parseEntry = (bytes: Uint8Array, at: number, base: number, prefix: number, report: Report) => {
  if (bytes.length - at < ENTRY_SIZE) {
    throw new WeighbridgeError('FORMAT_TRUNCATED', 'the central directory ends inside an entry', { offset: base + at });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, ENTRY_SIZE);
  if (view.getUint32(0, true) !== ENTRY) {
    throw new WeighbridgeError('FORMAT_INVALID', 'no central directory entry where one belongs', { offset: base + at });
  }
  const [madeBy, flags, method] = [view.getUint16(4, true), view.getUint16(8, true), view.getUint16(10, true)];
  const [crc, compressed, plain] = [view.getUint32(16, true), view.getUint32(20, true), view.getUint32(24, true)];
  const [nameLength, extraLength] = [view.getUint16(28, true), view.getUint16(30, true)];
  const [commentLength, disk] = [view.getUint16(32, true), view.getUint16(34, true)];
  const [attributes, offset] = [view.getUint32(38, true), view.getUint32(42, true)];
  const nameEnd = at + ENTRY_SIZE + nameLength;
  checkRange(bytes.length, nameEnd, extraLength);
  const rawBytes = bytes.subarray(at + ENTRY_SIZE, nameEnd);
  const place = base + at;
  const name = decodeName(rawBytes, flags);
  const odd = (rule: string, severity: Deviation['severity'], message: string) =>
    report({ rule, severity, message, offset: place, evidence: printable(name.text), refs: ['CWE-436'] });
  if (!name.clean) odd('name-encoding', 'low', 'readers decode the name of a member differently');
  const extra = splitExtra(bytes.subarray(nameEnd, nameEnd + extraLength));
  if (extra === undefined) odd('extra', 'medium', 'the extra fields of a member are malformed');
  const wide = readZip64(extra?.get(0x0001), { plain, compressed, offset, disk });
  if (wide === undefined) odd('zip64-extra', 'high', 'the zip64 field of a member does not fit its entry');
  const values = wide ?? { plain, compressed, offset, disk };
  if (values.disk !== 0) odd('multi-disk', 'high', 'a member claims to lie on another disk');
  const second = secondName(extra?.get(0x7075));
  if (second !== undefined && second !== name.text) {
    if (isAscii(rawBytes)) {
      odd('unicode-name', 'high', 'a member has a second name for readers that honour the Unicode path field');
    } else for (const deviation of judgeName(second, place)) report(deviation);
  }
  const value: Entry = {
    name: name.text,
    rawName: latin1(rawBytes),
    flags,
    method: extra?.has(0x9901) === true ? 99 : method,
    crc,
    compressedSize: values.compressed,
    size: values.plain,
    localHeader: values.offset + prefix,
    kind: kindOf(name.text, madeBy, attributes),
    entry: place,
  };
  return { value, next: nameEnd + extraLength + commentLength };
};

const kindOf = (name: string, madeBy: number, attributes: number): ZipMember['kind'] => {
  // Extractors look at the mode whichever system wrote it; only then at the name.
  const type = (attributes >>> 16) & TYPE_MASK;
  if (type === SYMLINK) return 'link';
  if (type !== 0 && type !== REGULAR && type !== DIRECTORY_TYPE && madeBy >>> 8 === 3) return 'special';
  return name.endsWith('/') ? 'folder' : 'file';
};

/** The name in Info-ZIP's Unicode path field (APPNOTE 4.6.9), which writers add to names that are not ASCII. */
const secondName = (field: Uint8Array | undefined): string | undefined => {
  if (field === undefined) return undefined;
  try {
    return decodeUtf8(field.subarray(5));
  } catch {
    return latin1(field);
  }
};

const isAscii = (bytes: Uint8Array): boolean => bytes.every((byte) => byte < 0x80);

/** ASCII is one for all readers; anything else must be UTF-8 and say so (flag bit 11). */
const decodeName = (bytes: Uint8Array, flags: number): { text: string; clean: boolean } => {
  if (isAscii(bytes)) return { text: latin1(bytes), clean: true };
  try {
    return { text: decodeUtf8(bytes), clean: (flags & 0x800) !== 0 };
  } catch {
    return { text: latin1(bytes), clean: false };
  }
};

/** Members in the order of their records must follow each other from the first byte to the directory. */
const withRecordEnds = (entries: readonly Entry[], directory: number, prefix: number, report: Report): ZipMember[] => {
  const order = [...entries].sort((a, b) => a.localHeader - b.localHeader);
  const ends = new Map<Entry, number>();
  order.forEach((entry, i) => {
    const next = order[i + 1]?.localHeader ?? directory;
    ends.set(entry, next);
    const least = 30 + entry.rawName.length + entry.compressedSize;
    if (next - entry.localHeader < least) {
      const message = 'the records of two members overlap, or one runs into the directory';
      report({
        rule: 'overlap',
        severity: 'high',
        message,
        offset: entry.entry,
        evidence: printable(entry.name),
        refs: ['CWE-409'],
      });
    }
  });
  const first = order[0]?.localHeader ?? directory;
  if (first !== prefix) {
    const message = `${first - prefix} bytes before the first member belong to nothing`;
    report({ rule: 'gap', severity: 'high', message, offset: prefix, evidence: '', refs: ['CWE-436'] });
  }
  return entries.map((entry) => ({ ...entry, recordEnd: ends.get(entry) ?? directory }));
};
