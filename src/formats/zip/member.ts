import { KIB, MIB } from '../../bytes/limits.ts';
import { fromBytes, type RandomAccess, section } from '../../bytes/random-access.ts';
import { isFault } from '../../errors.ts';
import { createByteReader } from '../archive/byte-reader.ts';
import { crc32 } from '../archive/checksum.ts';
import { createSink, INFLATED_STREAM_LIMIT, isBomb, RATIO_LIMIT } from '../archive/sink.ts';
import { inflate } from '../compressed/inflate.ts';
import { type Context, printable } from '../format.ts';
import { reportDeviations, type ZipDirectory, type ZipMember } from './directory.ts';
import { ENCRYPTED, readLocalHeader } from './local-header.ts';

/** Stored bytes whose checksum is computed, per member: a wrong one hides nothing, and reading gigabytes twice costs seconds. */
const CHECKED = 64 * MIB;
const CHUNK = MIB;
/** Stored bytes that are held, since recognisers look at a small file some dozen times. */
const HELD = 64 * KIB;

/** A member that can be read, or why it cannot. */
export type Opened = { readonly bytes: RandomAccess; readonly data: number } | { readonly unreadable: string };

/**
 * Opens a member as the most lenient reader would: whatever the headers lie about, the bytes that some loader would get
 * are returned, and each lie is a finding of `format`. Inflates into memory, bounded by the sink's limits.
 */
export const openMember = (
  directory: ZipDirectory,
  member: ZipMember,
  context: Context,
  format: string,
  checked = CHECKED,
): Opened => {
  const { source } = directory;
  const local = readLocalHeader(source, member);
  reportDeviations(local.deviations, context, format);
  const find = (rule: string, severity: 'medium' | 'high', message: string, refs: readonly string[]) =>
    context.report({
      rule: `${format}.${rule}`,
      severity,
      message,
      offset: member.localHeader,
      evidence: printable(member.name),
      refs,
    });
  const saysEncrypted =
    (member.flags & ENCRYPTED) !== 0 || local.deviations.some(({ rule }) => rule === 'local-encrypted');
  const end = Math.min(source.size, local.data + member.compressedSize);
  const compressed = section(source, Math.min(local.data, end), end);
  if (compressed.size < member.compressedSize) return { unreadable: 'the data of a member lie outside the file' };
  if (member.method !== 0 && member.method !== 8) {
    find('method', 'medium', `compression method ${member.method} is not known`, []);
    return { unreadable: 'compressed or encrypted in a way that is not known' };
  }
  const plain = member.method === 0 ? stored(compressed, member) : inflated(compressed, member, context);
  if (plain.bomb) find('bomb', 'medium', `a member inflates beyond what is read: ${plain.problem}`, ['CWE-409']);
  else if (plain.problem !== '' && !saysEncrypted)
    find('data', 'high', `the data of a member are not as declared: ${plain.problem}`, ['CWE-436']);
  if (plain.bomb || (plain.problem !== '' && plain.bytes.size === 0)) return { unreadable: plain.problem };
  const skipped = directory.unsummed === true || (member.method === 0 && member.size > checked);
  const right = plain.problem === '' && (skipped || checksum(plain.bytes) === member.crc);
  if (saysEncrypted) {
    if (!right) {
      find('encrypted', 'medium', 'a member is encrypted: its content cannot be inspected', []);
      return { unreadable: 'encrypted' };
    }
    find('encrypted-lie', 'high', 'a member that is marked as encrypted is not: some readers skip it, others load it', [
      'CVE-2025-1945',
    ]);
  } else if (!right && plain.problem === '')
    find('crc', 'high', 'the checksum of a member is wrong: some readers refuse it, others load it', [
      'CVE-2025-10156',
    ]);
  return { bytes: plain.bytes, data: local.data };
};

/**
 * The first bytes of a deflated member, at most `most`, for one whose numbers nobody needs to see: undefined, with a finding,
 * when it cannot be read or declares more than its bytes can honestly become.
 */
export const peekMember = (
  { source }: ZipDirectory,
  member: ZipMember,
  context: Context,
  format: string,
  most: number,
): RandomAccess | undefined => {
  const local = readLocalHeader(source, member);
  reportDeviations(local.deviations, context, format);
  const { compressedSize: size, localHeader: offset } = member;
  const evidence = printable(member.name);
  const find = (rule: string, severity: 'medium' | 'high', message: string, refs: readonly string[]): undefined => {
    context.report({ rule: `${format}.${rule}`, severity, message, offset, evidence, refs });
  };
  if ((member.flags & ENCRYPTED) !== 0 || local.deviations.some(({ rule }) => rule === 'local-encrypted'))
    return find('encrypted', 'medium', 'a member is encrypted: its content cannot be inspected', []);
  if (local.data + size > source.size) return undefined;
  if (isBomb({ length: member.size, compressed: size }))
    return find('bomb', 'medium', `a member declares more than ${RATIO_LIMIT} times its bytes`, ['CWE-409']);
  const sink = createSink(size, context.budget, most);
  try {
    inflate(createByteReader(section(source, local.data, local.data + size)), sink);
  } catch (error) {
    if (!isFault(error) || error.details['limit'] === 'bytesInflated') throw error;
    if (error.details['limit'] !== 'decompressed size')
      return find('data', 'high', `the data of a member are not as declared: ${error.message}`, ['CWE-436']);
  }
  return fromBytes(sink.bytes.subarray(0, sink.length));
};

/** What a reader gets out of a member; `problem` says how that differs from what was declared. */
type Plain = { readonly bytes: RandomAccess; readonly problem: string; readonly bomb: boolean };

const stored = (compressed: RandomAccess, member: ZipMember): Plain => ({
  bytes: compressed.size <= HELD ? fromBytes(compressed.read(0, compressed.size).slice()) : compressed,
  problem: compressed.size === member.size ? '' : 'a stored member has two sizes',
  bomb: false,
});

const inflated = (compressed: RandomAccess, member: ZipMember, context: Context): Plain => {
  const input = createByteReader(compressed);
  const sink = createSink(compressed.size, context.budget, member.size);
  const soFar = () => fromBytes(sink.bytes.subarray(0, sink.length));
  try {
    inflate(input, sink);
  } catch (error) {
    if (!isFault(error)) throw error;
    const { limit } = error.details;
    if (limit === 'bytesInflated') throw error;
    const larger = limit === 'decompressed size' && member.size < INFLATED_STREAM_LIMIT;
    return { bytes: soFar(), problem: error.message, bomb: limit !== undefined && !larger };
  }
  if (isBomb(sink)) return { bytes: soFar(), problem: `compression ratio over ${RATIO_LIMIT}`, bomb: true };
  const bytes = fromBytes(sink.finish());
  if (input.position !== compressed.size) return { bytes, problem: 'bytes follow the compressed stream', bomb: false };
  return { bytes, problem: bytes.size === member.size ? '' : 'another size', bomb: false };
};

const checksum = (bytes: RandomAccess): number => {
  let crc = 0;
  for (let at = 0; at < bytes.size; at += CHUNK) crc = crc32(bytes.read(at, Math.min(CHUNK, bytes.size - at)), crc);
  return crc;
};
