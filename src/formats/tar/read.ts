import { KIB, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { isFault, type WeighbridgeError } from '../../errors.ts';
import type { Deviation } from '../archive/member-names.ts';
import { printable } from '../format.ts';
import { BLOCK, readHeader, type TarHeader, tarText } from './header.ts';
import { PAX_LIMIT, readPax } from './pax.ts';

/** Members of one archive. Shards of datasets hold some ten thousand. */
const MEMBER_LIMIT = 1_000_000;
/** Bytes of a GNU long name. */
const LONG_NAME_LIMIT = 64 * KIB;
/** Zero blocks behind the end: writers fill their last record, of up to 1 MiB. */
const FILL_LIMIT = 1024 * KIB;
/** Sizes up to here fit the header's octal field; only larger ones may be given in an extended header. */
const OCTAL_LIMIT = 8 ** 11;

export type TarMember = {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'symlink' | 'hardlink' | 'special' | 'unknown';
  /** Where a link points. */
  readonly target: string;
  readonly data: number;
  readonly size: number;
  readonly header: number;
};

export type Tar = {
  readonly members: readonly TarMember[];
  readonly deviations: readonly Deviation[];
  /** Offset behind the end-of-archive blocks, or the end of the source when there are none. */
  readonly end: number;
  /** Why no more headers could be read, when they could not. */
  readonly fault: WeighbridgeError | undefined;
};

const KINDS: Readonly<Record<string, TarMember['kind']>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'special',
  '4': 'special',
  '5': 'folder',
  '6': 'special',
};

/** What extended headers said about the member that follows. */
type Pending = { path?: string; link?: string; size?: number };

/**
 * Reads all headers of a tar archive: POSIX ustar and pax, GNU long names. Sparse members and other extensions are not
 * read: what they unpack to depends on the reader. Headers before a broken one count, as for readers that unpack as they go.
 */
export const readTar = (source: RandomAccess): Tar => {
  const members: TarMember[] = [];
  const deviations: Deviation[] = [];
  try {
    return { members, deviations, end: readHeaders(source, members, deviations), fault: undefined };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { members, deviations, end: source.size, fault: error };
  }
};

/** Appends to `members` and `deviations`; returns where the archive ends. */
const readHeaders = (source: RandomAccess, members: TarMember[], deviations: Deviation[]): number => {
  let pending: Pending = {};
  let at = 0;
  const odd = (rule: string, severity: Deviation['severity'], message: string, evidence = '') =>
    deviations.push({ rule, severity, message, offset: at, evidence: printable(evidence), refs: ['CWE-436'] });

  while (at < source.size) {
    const block = source.read(at, Math.min(BLOCK, source.size - at));
    if (block.every((byte) => byte === 0)) return endOfZeros(source, at);
    const header = readHeader(block, at);
    const data = at + BLOCK;
    const next = (size: number) => data + Math.ceil(size / BLOCK) * BLOCK;
    if (header.type === 'x' || header.type === 'g') {
      const records = readPax(source.read(data, within('pax header bytes', header.size, PAX_LIMIT)), data);
      judgeKeys(records, header.type, odd);
      if (header.type === 'x') pending = merged(pending, records, odd);
      at = next(header.size);
    } else if (header.type === 'L' || header.type === 'K') {
      const bytes = source.read(data, within('tar long name bytes', header.size, LONG_NAME_LIMIT));
      const end = bytes.indexOf(0);
      const text = tarText(end < 0 ? bytes : bytes.subarray(0, end));
      pending = header.type === 'L' ? { ...pending, path: text } : { ...pending, link: text };
      at = next(header.size);
    } else {
      const member = memberOf(header, pending, at, odd);
      // A member whose data are cut is read as far as they go, as readers do, and reported by its size.
      members.push(member);
      within('tar members', members.length, MEMBER_LIMIT);
      pending = {};
      at = next(member.size);
    }
  }
  odd('no-end', 'medium', 'the archive has no end-of-archive block');
  return source.size;
};

/** Zero blocks that fill the last record belong to the end. */
const endOfZeros = (source: RandomAccess, start: number): number => {
  let at = start;
  while (at < source.size && at - start < FILL_LIMIT) {
    const block = source.read(at, Math.min(BLOCK, source.size - at));
    if (block.some((byte) => byte !== 0)) break;
    at += block.length;
  }
  return at;
};

type Odd = (rule: string, severity: Deviation['severity'], message: string, evidence?: string) => void;

const memberOf = (header: TarHeader, pending: Pending, at: number, odd: Odd): TarMember => {
  const kind = KINDS[header.type] ?? 'unknown';
  const name = pending.path ?? header.name;
  if (kind === 'unknown') {
    const rule = header.type === 'S' ? 'sparse' : 'member-type';
    odd(rule, 'high', `a member has the type ${printable(header.type)}, which readers treat differently`, name);
  }
  let size = header.size;
  if (pending.size !== undefined && pending.size !== header.size) {
    if (pending.size < OCTAL_LIMIT)
      odd('pax-size', 'high', 'the extended header and the header give different sizes', name);
    size = pending.size;
  }
  if (kind !== 'file' && kind !== 'unknown' && size !== 0) {
    odd('size-of-link', 'high', 'a member without data has a size', name);
    size = 0;
  }
  const folder = kind === 'folder' || (kind === 'file' && header.dialect === 'old' && name.endsWith('/'));
  return {
    name,
    kind: folder ? 'folder' : kind,
    target: pending.link ?? header.link,
    data: at + BLOCK,
    size: kind === 'file' || kind === 'unknown' ? size : 0,
    header: at,
  };
};

/** Keys that change what readers unpack, in ways that not all of them know. */
const judgeKeys = (records: ReadonlyMap<string, string>, type: string, odd: Odd): void => {
  for (const key of records.keys()) {
    if (key.startsWith('GNU.sparse')) odd('sparse', 'high', 'a sparse member: readers differ in what it holds', key);
    if (type === 'g' && (key === 'path' || key === 'linkpath' || key === 'size')) {
      odd('pax-global', 'high', 'a global extended header changes every member', key);
    }
    if (key === 'hdrcharset' && records.get(key) !== 'ISO-IR 10646 2000 UTF-8') {
      odd('pax-charset', 'medium', 'names are in a character set that not all readers know', records.get(key));
    }
  }
};

const merged = (pending: Pending, records: ReadonlyMap<string, string>, odd: Odd): Pending => {
  const path = records.get('path');
  const link = records.get('linkpath');
  const size = records.get('size');
  if (size !== undefined && !/^[0-9]{1,15}$/.test(size))
    odd('pax-size', 'high', 'the size in an extended header is not a number', size);
  return {
    ...pending,
    ...(path === undefined ? {} : { path }),
    ...(link === undefined ? {} : { link }),
    ...(size === undefined || !/^[0-9]{1,15}$/.test(size) ? {} : { size: Number(size) }),
  };
};
