import { latin1 } from '../../bytes/latin1.ts';
import { MIB } from '../../bytes/limits.ts';
import { joinMember, type Together } from '../archive/together.ts';
import { WINDOW } from '../archive/window.ts';
import { type Context, complete, type Inspection, type PlanStorage, printable } from '../format.ts';
import type { ZipDirectory, ZipMember } from '../zip/directory.ts';
import { derivedData, readLocalHeader } from '../zip/local-header.ts';
import { openMember, peekMember } from '../zip/member.ts';
import { inspectMember } from '../zip/plain.ts';
import { torchRoot } from '../zip/recognise.ts';
import { bytesOf, judgeStorageBytes } from './storages.ts';
import type { StorageId } from './tensor.ts';

/** Records beside the data that torch writes; all are a few bytes. */
const RECORDS = new Set([
  'data.pkl',
  'version',
  'byteorder',
  '.data/serialization_id',
  '.format_version',
  '.storage_alignment',
]);
/** Bytes that small records may have. */
const RECORD_LIMIT = 64 * 1024;
/** Bytes of a pickle that are fetched at once from a remote file. */
const PICKLE_LIMIT = 64 * 1024 * 1024;

/** Bytes of storages whose checksum is computed, in all: torch itself ignores it, and weights of any size must be judged at once. */
const CHECKED = 128 * 1024;

/** A deflated storage beyond this is not inflated to be inspected but only where it is converted, piece by piece. */
const INFLATED = 64 * MIB;
/** What is seen of such a storage. */
const PEEKED = 1 * MIB;

/** A torch archive: a zip whose members all lie in one folder. */
export type TorchArchive = {
  readonly directory: ZipDirectory;
  readonly context: Context;
  readonly format: string;
  /** The member of this name in the folder. */
  readonly find: (name: string) => ZipMember | undefined;
  /** What the names of storages end in, behind their keys: nothing, or `.storage`. */
  readonly suffix: string;
  readonly byteOrder: 'little' | 'big';
  /** Bytes of stored storages whose checksum may still be computed. */
  readonly toCheck: { bytes: number };
};

/** Opens the folder of the archive and reads its byte order. */
export const openTorchArchive = (
  read: ZipDirectory,
  context: Context,
  format: string,
  suffix: TorchArchive['suffix'] = '',
): TorchArchive => {
  const directory = withoutSums(read, context, format);
  const root = torchRoot(directory);
  const members = new Map(directory.members.map((member) => [member.name, member]));
  const find = (name: string) => members.get(`${root}/${name}`);
  const pickle = find('data.pkl');
  if (context.provisional && pickle !== undefined) fetchAround(directory, pickle);
  return {
    directory,
    context,
    format,
    find,
    suffix,
    byteOrder: readByteOrder(directory, find('byteorder'), context, format),
    toCheck: { bytes: CHECKED },
  };
};

/**
 * `torch.serialization.set_crc32_options(False)` leaves the checksum of every member at 0, in the directory and behind the
 * data. That is the writer's option and no damage, so it is told and not held against the file: a checksum chooses no bytes.
 * Every reader finds the same ones by the same offsets and sizes, which are compared as ever; one that sums them
 * (Python's zipfile) stops with an error, and never with other data. Scanners that stop there are evaded (CVE-2025-10156);
 * this one reads on. A single checksum of 0 among others, or a compressed member, is not what the option writes.
 */
const withoutSums = (directory: ZipDirectory, context: Context, format: string): ZipDirectory => {
  if (!leftUnsummed(directory)) return directory;
  context.report({
    rule: `${format}.unsummed`,
    severity: 'info',
    message: 'the archive was written without checksums, by an option of torch.save',
    offset: 0,
    evidence: `${directory.members.length} members`,
    refs: ['CWE-353'],
  });
  return { ...directory, unsummed: true };
};

/** True when every member is stored, and has a checksum of 0 that is not its own. */
const leftUnsummed = ({ members }: ZipDirectory): boolean =>
  members.some(({ size }) => size > 0) &&
  members.every(({ crc, method, kind }) => crc === 0 && method === 0 && kind === 'file');

/** One read for the pickle, its header and the small records that writers put behind it. */
const fetchAround = ({ source }: ZipDirectory, member: ZipMember): void => {
  const wanted = Math.min(PICKLE_LIMIT, member.recordEnd - member.localHeader + 4096);
  const start = Math.min(member.localHeader, source.size);
  if (wanted > 0) source.fetch(start, Math.min(source.size - start, Math.max(wanted, Math.min(WINDOW, 16 * 1024))));
};

const readByteOrder = (
  directory: ZipDirectory,
  member: ZipMember | undefined,
  context: Context,
  format: string,
): 'little' | 'big' => {
  if (member === undefined) return 'little';
  const opened = openMember(directory, member, context, format);
  const text = 'unreadable' in opened ? '' : latin1(opened.bytes.read(0, Math.min(opened.bytes.size, 16)));
  if (text === 'little' || text === 'big') return text;
  context.report({
    rule: `${format}.byte-order`,
    severity: 'high',
    message: 'the byte order of the checkpoint is neither little nor big',
    offset: member.localHeader,
    evidence: printable(text),
    refs: ['CWE-20'],
  });
  return 'little';
};

/**
 * Where a storage's bytes are; undefined, with a finding, when the archive does not hold them as the pickle says. With
 * `hollow`, a storage may be written without any of its bytes.
 */
export const locateStorage = (
  archive: TorchArchive,
  folder: string,
  id: StorageId,
  hollow = false,
): PlanStorage | undefined => {
  const { context, format, byteOrder } = archive;
  const member = archive.find(`${folder}/${id.key}${archive.suffix}`);
  const odd = (rule: string, message: string) =>
    context.report({
      rule: `${format}.${rule}`,
      severity: 'high',
      message,
      offset: member?.localHeader ?? 0,
      evidence: printable(id.key),
      refs: ['CVE-2026-24747', 'CWE-125'],
    });
  if (hollow && member?.size === 0) return undefined;
  if (member === undefined) {
    // An empty storage need not be there.
    if (id.elements > 0) odd('storage-missing', 'a storage that the pickle names is not in the archive');
    return id.elements > 0 ? undefined : { name: id.key, offset: 0, length: 0, size: 0, method: 'stored', byteOrder };
  }
  if (member.size < bytesOf(id)) odd('storage-size', 'a storage is smaller than the pickle says');
  if (member.method !== 0 && member.method !== 8) return undefined;
  const derived = context.provisional;
  const data = derived ? derivedData(member) : exactData(archive, member);
  if (data < 0 || data + member.compressedSize > archive.directory.source.size) {
    odd('storage-outside', 'the bytes of a storage lie outside the file');
    return undefined;
  }
  const stored = member.method === 0;
  return {
    name: member.name,
    offset: data,
    length: member.compressedSize,
    size: member.size,
    method: stored ? 'stored' : 'deflated',
    byteOrder,
    ...(derived && stored ? { localHeader: member.localHeader } : {}),
  };
};

/**
 * Reads the member's own header; a deflated member is inflated, to know that it can be and is as large as it says. Of a large
 * one that is known once it was converted: the executor refuses one that is not.
 */
const exactData = ({ directory, context, format, toCheck }: TorchArchive, member: ZipMember): number => {
  if (member.method === 8 && member.size > INFLATED) {
    const seen = peekMember(directory, member, context, format, PEEKED);
    if (seen !== undefined) judgeStorageBytes(seen, member.name, member.localHeader, context);
    return readLocalHeader(directory.source, member).data;
  }
  const opened = openMember(directory, member, context, format, toCheck.bytes);
  if (member.method === 0 && member.size <= toCheck.bytes) toCheck.bytes -= member.size;
  if ('unreadable' in opened) return readLocalHeader(directory.source, member).data;
  judgeStorageBytes(opened.bytes, member.name, member.localHeader, context);
  return opened.data;
};

/** Inspects what is in the archive beside the pickle, the records and the storages that were used: nothing belongs there. */
export const inspectExtras = (
  archive: TorchArchive,
  used: ReadonlySet<string>,
  known: (name: string) => boolean,
): Together => {
  const { directory, context, format } = archive;
  const root = torchRoot(directory);
  let together: Together = { content: 'inert', coverage: complete(directory.source.size) };
  context.budget.spend('steps', directory.members.length);
  for (const member of directory.members) {
    const name = member.name.startsWith(`${root}/`) ? member.name.slice(root.length + 1) : undefined;
    if (name !== undefined && (used.has(name) || known(name))) continue;
    if (name !== undefined && isRecord(name, member.size)) {
      if (!context.provisional) checkRecord(archive, member);
      continue;
    }
    const inspection = inspectMember(directory, member, context, format);
    together = joinMember(together, inspection, member.name, directory.source.size);
    reportExtra(archive, member, inspection);
  }
  return together;
};

/** True for a record of torch itself: the pickle, or one of the few bytes beside it. */
export const isRecord = (name: string, size: number): boolean =>
  RECORDS.has(name) && (name === 'data.pkl' || size <= RECORD_LIMIT);

const checkRecord = ({ directory, context, format }: TorchArchive, member: ZipMember): void => {
  openMember(directory, member, context, format);
};

const reportExtra = ({ context, format }: TorchArchive, member: ZipMember, { content }: Inspection | Together): void =>
  context.report({
    rule: `${format}.extra-member`,
    severity: content === 'inert' ? 'low' : 'medium',
    message: 'the archive holds a member that torch does not write',
    offset: member.localHeader,
    evidence: printable(member.name),
    refs: ['CWE-506'],
  });
