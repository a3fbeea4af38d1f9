import { createCursor } from '../../bytes/cursor.ts';
import { MIB, within } from '../../bytes/limits.ts';
import { fromBytes, type RandomAccess, section } from '../../bytes/random-access.ts';
import { isFault } from '../../errors.ts';
import { crc32 } from '../archive/checksum.ts';
import { judgeName, judgeTwins } from '../archive/member-names.ts';
import { joinMember, type Together } from '../archive/together.ts';
import { type Context, complete, type Format, incomplete, printable, worseContent } from '../format.ts';
import { type Entry, type Folder, invalid, MARK, type Part, readHeader, readStreams, type Streams } from './header.ts';
import { unpack, unreadable } from './unpack.ts';

const MAGIC = [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c];
/** Bytes of the signature header. */
const SIGNATURE = 32;
/** Bytes of a header, unpacked: the names of a hundred thousand files. */
const HEADER = 16 * MIB;
/** The kind of a file in its Unix mode: a plain one, a symbolic link, nothing said. */
const KIND = 0xf000;
const PLAIN = [0, 0x8000, 0x4000];
const LINK = 0xa000;

/** 7z archives, which some loaders and many people unpack. */
export const sevenZip: Format = {
  name: '7z',
  title: '7z archive',
  begins: [0x37],
  recognisedBy: 'The magic 37 7A BC AF 27 1C.',
  checks:
    'Checksums of headers and files; packed streams follow each other without gap up to the header, which ends the file; copy, ' +
    'LZMA, LZMA2, Deflate, bzip2 and delta, nothing else; names stay inside and differ; no links; every file is inspected.',
  references: ['7zFormat.txt (LZMA SDK)', 'DOC/Methods.txt (LZMA SDK)', 'CVE-2025-12060', 'CWE-409'],
  recognise: (head) => MAGIC.every((byte, index) => head[index] === byte),
  inspect(source, context) {
    const { streams, entries } = openHeader(source, context);
    context.budget.spend('steps', entries.length);
    const say = reporter(context);
    const places = entries.map(({ name }) => ({ name, offset: 0 }));
    const files = entries.filter(({ folder }) => !folder).map(({ name }) => ({ name, offset: 0 }));
    for (const { rule, ...rest } of [...places.flatMap(({ name }) => judgeName(name, 0)), ...judgeTwins(files)])
      context.report({ rule: `7z.${rule}`, ...rest });
    for (const { mode, name } of entries) {
      const kind = mode & KIND;
      if (kind === LINK) say('link-outside', 'high', 'a member is a symbolic link', 0, name, ['CWE-59']);
      else if (!PLAIN.includes(kind))
        say('special-file', 'high', 'a member is a device or a pipe', 0, name, ['CWE-59']);
    }
    const together = inspectFolders(source, streams, entries, context);
    return { format: '7z', ...together, details: { members: entries.length } };
  },
};

type Say = (
  rule: string,
  severity: 'medium' | 'high',
  message: string,
  offset: number,
  evidence: string,
  refs: readonly string[],
) => void;
const reporter =
  (context: Context): Say =>
  (rule, severity, message, offset, evidence, refs) =>
    context.report({ rule: `7z.${rule}`, severity, message, offset, evidence: printable(evidence), refs });

const checked = (bytes: Uint8Array, sum: number, what: string): Uint8Array =>
  crc32(bytes) === sum ? bytes : invalid(`the checksum of ${what} is wrong`);

/** The header, unpacked where it is packed itself; what stands before it must be packed streams to the last byte. */
const openHeader = (source: RandomAccess, context: Context): ReturnType<typeof readHeader> => {
  const cursor = createCursor(source, 6);
  const [major, minor] = [cursor.u8(), cursor.u8()];
  if (major !== 0 || minor > 4) invalid('a version that is not known', 6);
  const sum = cursor.u32();
  checked(source.read(12, 20), sum, 'the signature header');
  const start = SIGNATURE + cursor.u64();
  const size = within('7z header bytes', cursor.u64(), HEADER);
  const digest = cursor.u32();
  if (start + size !== source.size)
    reporter(context)('trailing-bytes', 'high', 'bytes follow the header', start + size, '', ['CWE-436']);
  if (size === 0) return { streams: { position: 0, packed: [], folders: [], parts: [] }, entries: [] };
  let bytes = checked(source.read(start, size), digest, 'the header');
  let end = start;
  for (let packings = 0; bytes[0] === MARK.encoded; packings++) {
    within('7z packed headers', packings, 2);
    const streams = readStreams(createCursor(fromBytes(bytes), 1));
    const [folder] = streams.folders;
    const at = SIGNATURE + streams.position;
    if (folder === undefined || streams.folders.length > 1) return invalid('a packed header of several parts', start);
    const odd = unreadable(folder);
    if (odd) return invalid(odd.rule === 'encrypted' ? 'the header is encrypted' : `method ${odd.method}`, start);
    if (at + (streams.packed[0] ?? 0) !== end) gap(context, at);
    within('7z header bytes', folder.coders.at(-1)?.size ?? 0, HEADER);
    const plain = unpack(section(source, at, at + (streams.packed[0] ?? 0)), folder, context.budget);
    bytes = plain.read(0, plain.size);
    if (folder.digest !== undefined) checked(bytes, folder.digest, 'the header');
    end = at;
  }
  const header = readHeader(bytes);
  const { position, packed } = header.streams;
  const filled = SIGNATURE + position + packed.reduce((sum, length) => sum + length, 0);
  if (position !== 0 || filled !== end) gap(context, filled);
  return header;
};

const gap = (context: Context, offset: number): void =>
  reporter(context)('gap', 'high', 'bytes of the archive belong to no file', offset, '', ['CWE-436', 'CWE-506']);

const inspectFolders = (
  source: RandomAccess,
  { position, packed, folders, parts }: Streams,
  entries: readonly Entry[],
  context: Context,
): Together => {
  let together: Together = { content: 'inert', coverage: complete(source.size) };
  const filled = entries.filter(({ empty }) => !empty);
  if (filled.length !== parts.flat().length) invalid('another number of files than of parts');
  let at = SIGNATURE + position;
  let next = 0;
  for (const [index, folder] of folders.entries()) {
    const length = packed[index] ?? 0;
    const own = parts[index] ?? [];
    const names = filled.slice(next, next + own.length).map(({ name }) => name);
    const stored = section(source, at, at + length);
    together = inspectFolder(stored, { folder, parts: own, names, at }, together, context);
    at += length;
    next += own.length;
  }
  return together;
};

type Work = {
  readonly folder: Folder;
  readonly parts: readonly Part[];
  readonly names: readonly string[];
  readonly at: number;
};

const inspectFolder = (
  stored: RandomAccess,
  { folder, parts, names, at }: Work,
  before: Together,
  context: Context,
): Together => {
  const say = reporter(context);
  const lost = (reason: string): Together => ({
    content: worseContent(before.content, 'unknown'),
    coverage: incomplete('partial', 0, before.coverage.bytesTotal, reason),
  });
  const odd = unreadable(folder);
  if (odd) {
    const message = odd.rule === 'encrypted' ? 'members are encrypted' : `method ${odd.method} is not read`;
    say(odd.rule, 'medium', message, at, names[0] ?? '', []);
    return lost(message);
  }
  let plain: RandomAccess;
  try {
    plain = unpack(stored, folder, context.budget);
  } catch (error) {
    if (!isFault(error)) throw error;
    const bomb = error.code === 'LIMIT_EXCEEDED';
    say(bomb ? 'bomb' : 'data', bomb ? 'medium' : 'high', printable(error.message), at, names[0] ?? '', ['CWE-409']);
    return lost(printable(error.message));
  }
  let together = before;
  let from = 0;
  for (const [index, { size, digest }] of parts.entries()) {
    const name = names[index] ?? '';
    const member = section(plain, from, from + size);
    if (digest !== undefined && size <= 128 * MIB && crc32(member.read(0, size)) !== digest)
      say('crc', 'high', 'the checksum of a member is wrong: some readers refuse it, others load it', at, name, [
        'CWE-436',
      ]);
    together = joinMember(together, context.nested(member, name), name, before.coverage.bytesTotal);
    from += size;
  }
  return together;
};
