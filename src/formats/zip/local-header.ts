import { createCursor } from '../../bytes/cursor.ts';
import { latin1 } from '../../bytes/latin1.ts';
import { fromBytes, type RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import type { Deviation } from '../archive/member-names.ts';
import { printable } from '../format.ts';
import type { ZipMember } from './directory.ts';
import { localZip64Agrees, splitExtra } from './extra.ts';

const HEADER = 0x04034b50;
const HEADER_SIZE = 30;
const DESCRIPTOR = 0x08074b50;
const ALL_32 = 0xffffffff;

/** Flag bits (APPNOTE 4.4.4). */
export const ENCRYPTED = 1;
export const HAS_DESCRIPTOR = 8;

export type LocalHeader = {
  /** First byte of the member's data in the source. */
  readonly data: number;
  readonly deviations: readonly Deviation[];
};

/**
 * Reads the local header of `member` and compares it with the directory (APPNOTE 4.3.7): name, method, encryption,
 * checksum, sizes, and that header, data and descriptor fill the record exactly. Throws FORMAT_TRUNCATED when the
 * header does not lie inside the source.
 */
export const readLocalHeader = (source: RandomAccess, member: ZipMember): LocalHeader => {
  const deviations: Deviation[] = [];
  const odd = (rule: string, severity: Deviation['severity'], message: string, refs: readonly string[] = ['CWE-436']) =>
    deviations.push({ rule, severity, message, offset: member.localHeader, evidence: printable(member.name), refs });
  const guess = Math.min(source.size - member.localHeader, HEADER_SIZE + member.rawName.length + 64);
  const block = source.read(member.localHeader, Math.max(guess, 0));
  if (block.length < HEADER_SIZE)
    throw new WeighbridgeError('FORMAT_TRUNCATED', 'a local header ends with the file', { offset: member.localHeader });
  const view = new DataView(block.buffer, block.byteOffset, HEADER_SIZE);
  if (view.getUint32(0, true) !== HEADER) odd('local-signature', 'high', 'no local header where the directory says');
  const [flags, method] = [view.getUint16(6, true), view.getUint16(8, true)];
  const [crc, compressed, plain] = [view.getUint32(14, true), view.getUint32(18, true), view.getUint32(22, true)];
  const [nameLength, extraLength] = [view.getUint16(26, true), view.getUint16(28, true)];
  const length = HEADER_SIZE + nameLength + extraLength;
  const data = member.localHeader + length;
  const header = length <= block.length ? block : source.read(member.localHeader, length);
  const name = header.subarray(HEADER_SIZE, HEADER_SIZE + nameLength);
  const extra = splitExtra(header.subarray(HEADER_SIZE + nameLength, length));

  if (latin1(name) !== member.rawName)
    odd('local-name', 'high', 'the local header has another name than the directory', ['CVE-2025-1944']);
  if (method !== member.method && member.method !== 99)
    odd('local-method', 'high', 'the local header has another compression method');
  if (((flags ^ member.flags) & ENCRYPTED) !== 0)
    odd('local-encrypted', 'high', 'only one of the two headers says encrypted', ['CVE-2025-1945']);
  const later = (flags & HAS_DESCRIPTOR) !== 0;
  if (((flags ^ member.flags) & HAS_DESCRIPTOR) !== 0)
    odd('local-flags', 'medium', 'only one of the two headers announces a descriptor');
  if (crc !== member.crc && !(later && crc === 0))
    odd('local-crc', 'high', 'the local header has another checksum', ['CVE-2025-10156']);
  if (extra === undefined) odd('extra', 'medium', 'the extra fields of a local header are malformed');

  const wide = extra?.get(0x0001);
  const agrees = (value: number, real: number) =>
    value === real || (value === ALL_32 && wide !== undefined) || (later && value === 0);
  const wideAgrees =
    wide === undefined ||
    localZip64Agrees(wide, { plain: member.size, compressed: member.compressedSize, offset: member.localHeader });
  if (!agrees(plain, member.size) || !agrees(compressed, member.compressedSize) || !wideAgrees) {
    odd('local-size', 'high', 'the local header has other sizes than the directory');
  }
  const rest = member.recordEnd - data - member.compressedSize;
  if (rest < 0) odd('overlap', 'high', 'the data of a member run into the next record', ['CWE-409']);
  else if (!later && rest > 0) odd('gap', 'high', `${rest} bytes behind a member belong to nothing`);
  else if (later && !isDescriptor(source, member, rest))
    odd('descriptor', 'high', 'what follows a member is not its descriptor');
  return { data, deviations };
};

/** What follows the data must be its data descriptor (APPNOTE 4.3.9), with or without signature, 32 or 64 bits wide. */
const isDescriptor = (source: RandomAccess, member: ZipMember, length: number): boolean => {
  if (length === 0) return member.size === 0;
  if (length !== 12 && length !== 16 && length !== 20 && length !== 24) return false;
  const cursor = createCursor(fromBytes(source.read(member.recordEnd - length, length)));
  if (length % 8 === 0 && cursor.u32() !== DESCRIPTOR) return false;
  const crc = cursor.u32();
  const compressed = length >= 20 ? cursor.u64() : cursor.u32();
  const plain = length >= 20 ? cursor.u64() : cursor.u32();
  return crc === member.crc && compressed === member.compressedSize && plain === member.size;
};

/**
 * Where the data of a stored member must begin if its record is as writers of checkpoints leave it, without reading
 * its local header: in front of the next record and the descriptor.
 */
export const derivedData = (member: ZipMember): number => {
  const wide = member.size >= ALL_32 || member.localHeader >= ALL_32;
  const descriptor = (member.flags & HAS_DESCRIPTOR) === 0 || member.size === 0 ? 0 : wide ? 24 : 16;
  return member.recordEnd - descriptor - member.compressedSize;
};
