import { MIB, within } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { decodeUtf8 } from '../../bytes/utf8.ts';
import { isFault } from '../../errors.ts';
import { joinMember, type Together } from '../archive/together.ts';
import { disguiseOf } from '../disguise.ts';
import { type Context, complete, type Format, type Inspection, incomplete, printable } from '../format.ts';
import { type JsonValue, parseJson } from '../json/parse.ts';
import { readZipDirectory, type ZipDirectory, type ZipMember } from '../zip/directory.ts';
import { openMember } from '../zip/member.ts';
import { inspectMember, judgeDirectory } from '../zip/plain.ts';
import { isExported, looksLikeZip } from '../zip/recognise.ts';
import { payloadsOf } from './payloads.ts';
import { judgeProgram } from './program.ts';

const FORMAT = 'torch-export';
/** Bytes of one JSON document: programs of large models have some tens of megabytes. */
const DOCUMENT = 128 * MIB;
/** Bytes of the small records that the writer of archives adds. */
const RECORD = 4096;
/** The records, by the end of their names. */
const RECORDS =
  /(?:^|\/)(?:archive_format|archive_version|version|byteorder|\.data\/(?:version|serialization_id)|\.format_version|\.storage_alignment)$/;

/** Programs of `torch.export.save`: a graph as JSON, weights as numbers, and what `torch.load` reads. */
export const torchExport: Format = {
  name: FORMAT,
  title: 'PyTorch exported program (pt2)',
  recognisedBy: 'a zip with a record `archive_format`, or with `serialized_exported_program.json`',
  checks:
    'the zip is strict; every function that the graph calls is an operator that computes; expressions and guards, which the loader evaluates as Python, are arithmetic on sizes; weights have the bytes that their shapes need; every other member is inspected: pickles, compiled libraries',
  references: ['torch/export/pt2_archive/_package.py', 'torch/_export/serde/serialize.py', 'CWE-95', 'CWE-502'],
  recognise: (head, source) => {
    if (!looksLikeZip(head, source)) return false;
    try {
      return isExported(readZipDirectory(source));
    } catch (error) {
      if (isFault(error)) return false;
      throw error;
    }
  },
  inspect(source, context): Inspection {
    const directory = readZipDirectory(source);
    judgeDirectory(directory, context, FORMAT);
    context.budget.spend('steps', directory.members.length);
    const documents = readDocuments(directory, context);
    const payloads = rawPayloads(directory, documents);
    let together: Together = { content: 'inert', coverage: complete(source.size) };
    let nodes = 0;
    for (const member of directory.members) {
      const document = documents.get(member.name);
      if (document !== undefined)
        nodes += judgeProgram(document, context.inside?.(member.name) ?? context, context.budget).nodes;
      const raw = payloads.get(member.name);
      const found =
        raw === undefined ? inspectOther(directory, member, context) : inspectRaw(directory, member, raw, context);
      together = joinMember(together, found, member.name, source.size);
    }
    return { format: FORMAT, ...together, details: { nodes, weights: payloads.size } };
  },
};

/** Every member that is JSON, whatever it is called: loaders find programs by name, and names are the writer's. */
const readDocuments = (directory: ZipDirectory, context: Context): Map<string, JsonValue> => {
  const documents = new Map<string, JsonValue>();
  const quiet: Context = { ...context, report: () => undefined };
  for (const member of directory.members) {
    if (!member.name.endsWith('.json') && member.size > RECORD) continue;
    const opened = openMember(directory, member, quiet, FORMAT);
    if ('unreadable' in opened) continue;
    const value = parsed(opened.bytes, context);
    if (value !== undefined) documents.set(member.name, value);
  }
  return documents;
};

const parsed = (bytes: RandomAccess, context: Context): JsonValue | undefined => {
  if (bytes.size === 0 || bytes.read(0, 1)[0] !== 0x7b) return undefined;
  within('JSON bytes', bytes.size, DOCUMENT);
  try {
    const text = decodeUtf8(bytes.read(0, bytes.size));
    context.budget.spend('steps', Math.ceil(text.length / 64));
    return parseJson(text, { depth: 512, python: true }).value;
  } catch (error) {
    if (isFault(error, 'LIMIT_EXCEEDED') || !isFault(error)) throw error;
    return undefined;
  }
};

/** Members of raw numbers by their full names: they lie in the folder of the document that names them. */
const rawPayloads = (directory: ZipDirectory, documents: ReadonlyMap<string, JsonValue>): Map<string, bigint> => {
  const names = new Set(directory.members.map(({ name }) => name));
  const found = new Map<string, bigint>();
  const other = new Set<string>();
  for (const [name, document] of documents) {
    const folder = name.slice(0, name.lastIndexOf('/') + 1);
    for (const { member, bytes } of payloadsOf(document)) {
      const place = `${folder}${member}`;
      if (bytes === undefined) other.add(place);
      else if (names.has(place) && bytes >= (found.get(place) ?? 0n)) found.set(place, bytes);
    }
  }
  for (const place of other) found.delete(place);
  return found;
};

const inspectOther = (directory: ZipDirectory, member: ZipMember, context: Context): Inspection | Together =>
  RECORDS.test(member.name) && member.size <= RECORD && isRecord(directory, member, context)
    ? { content: 'inert', coverage: complete(member.size) }
    : inspectMember(directory, member, context, FORMAT);

/** A few printable characters. */
const isRecord = (directory: ZipDirectory, member: ZipMember, context: Context): boolean => {
  const opened = openMember(directory, member, context, FORMAT);
  return (
    !('unreadable' in opened) &&
    opened.bytes.read(0, opened.bytes.size).every((byte) => byte === 10 || (byte >= 32 && byte < 127))
  );
};

const inspectRaw = (directory: ZipDirectory, member: ZipMember, bytes: bigint, context: Context): Together => {
  const say = (rule: string, severity: 'low' | 'high', message: string): void =>
    context.report({
      rule: `${FORMAT}.${rule}`,
      severity,
      message,
      offset: member.localHeader,
      evidence: printable(member.name),
      refs: ['CWE-125'],
    });
  const opened = openMember(directory, member, context, FORMAT);
  if ('unreadable' in opened)
    return { content: 'unknown', coverage: incomplete('opaque', 0, member.size, opened.unreadable) };
  if (bytes > BigInt(opened.bytes.size)) say('tensor-size', 'high', 'a weight has fewer bytes than its shape needs');
  const disguise = disguiseOf(opened.bytes);
  if (disguise !== undefined) say('tensor-content', 'low', `the bytes of a weight are ${disguise}`);
  return { content: 'inert', coverage: complete(member.size) };
};
