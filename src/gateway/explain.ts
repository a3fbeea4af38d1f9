import { GIB, KIB, MIB } from '../bytes/limits.ts';
import { isFault } from '../errors.ts';
import { type Companion, type Graph, type Part, type Report, UNRECOGNISED } from '../formats/format.ts';
import type { Facts } from '../policy/types.ts';
import { fillsGrid, gridIndexesFor, keyOf, placeOf } from './explain-grid.ts';

type ExplainedBy = Facts['explainedBy'];

/** Nothing beside the file explains it. */
export const UNEXPLAINED: ExplainedBy = { path: '', sha256: '', format: '' };

/** An index with its whole report, and whether those who ask for the bytes may have it. */
export type Index = { readonly sha256: string; readonly report: Report; readonly allowed: boolean };

/** Bytes of the file to be explained. */
export type ReadBytes = (offset: number, length: number) => Promise<Uint8Array>;

/** What lies in the folder of a file that nothing recognises. */
export type Folder = {
  /** What stands before each name; ends in a slash, or is empty. */
  readonly path: string;
  names(): Promise<Iterable<string>>;
  /** Bytes of the file of this name; undefined when there is none. */
  size(name: string): Promise<number | undefined>;
  /** Fetches and inspects a whole index, as if it were asked for by itself; undefined when it is refused unread. */
  weigh(name: string): Promise<Index | undefined>;
  /** Has `look` read the file that is to be explained; its answer never changes for the same `layout`. */
  check(layout: string, look: (read: ReadBytes) => Promise<boolean>): Promise<boolean>;
};

/** Indexes that are fetched and read for one file, those with the most alike names first. */
const MAX_INDEXES = 8;
/** Bytes of the largest index: protocol buffers end there. */
const MAX_INDEX_BYTES = 2 * GIB;
/** Bytes of padding that are read at once. */
const BLOCK = 64 * KIB;
/** Bytes of a graph that are read at once, and so of one record: vectors have some thousand numbers. */
const GRAPH_BLOCK = 1 * MIB;

/**
 * True for the report of bytes in which no loader recognises anything, nor in what they decompress to: nothing was found,
 * nothing failed. Only such may be explained by an index; whatever a loader would open stands on its own report.
 */
export const isBare = (report: Report): boolean => {
  const { format, content, coverage, findings, details } = report;
  if (content !== 'unknown' || coverage.reason !== UNRECOGNISED || details?.['sandbox'] !== undefined) return false;
  return format === 'unknown' ? findings.length === 0 : isPacked(report);
};

/** True when a decompressor reads the whole file, and gets bytes of a known number in which nothing is recognised. */
const isPacked = ({ findings, details, plan }: Report): boolean =>
  plan === undefined &&
  findings.every(({ severity }) => severity === 'info') &&
  typeof details?.['size'] === 'number' &&
  details['holds'] === undefined;

/** True when what lies beside the file decides: bytes that nothing recognises, or an index of parts of other files. */
export const leansOnOthers = (report: Report): boolean => isBare(report) || report.parts !== undefined;

/** Names that writers give to indexes; Chroma's header and those of Qdrant have no others. */
const INDEX =
  /\.(?:onnx|json|xml|param)$|^(?:header\.bin|matrix\.dat|status\.dat|point_to_(?:tokens_count\.dat|values\.bin)|(?:mutable_)?id_tracker\.mappings|\w+_block_index\.bin)$/;

/** Names of the indexes that may lay out the file `name`. They say where to look and never what passes. */
export const indexesFor = (name: string, names: Iterable<string>): readonly string[] => {
  const shard = /^(.+)\.data-\d{5}-of-\d{5}$/.exec(name)?.[1];
  const found: { readonly other: string; readonly alike: number }[] = [];
  for (const other of names) {
    if (shard !== undefined ? other === `${shard}.index` : INDEX.test(other) && other !== name)
      found.push({ other, alike: likeness(name, other) });
  }
  const best = found.sort((a, b) => b.alike - a.alike || (a.other < b.other ? -1 : 1));
  return best.slice(0, MAX_INDEXES).map(({ other }) => other);
};

/** How many letters two names begin with in common; TensorFlow.js names files of weights by number. */
const likeness = (name: string, other: string): number => {
  if (other === 'model.json' && /^group\d/.test(name)) return name.length;
  let alike = 0;
  while (alike < name.length && name[alike] === other[alike]) alike += 1;
  return alike;
};

/**
 * The index beside a file with this report that lays out every byte of it; undefined when there is none, or when the file
 * stands for itself. The index must be complete, inert and allowed. Rejects when one could not be had now and may be later.
 */
export const explain = async (name: string, report: Report, folder: Folder): Promise<ExplainedBy | undefined> => {
  if (report.parts !== undefined) return explainByParts(report, report.parts, folder);
  if (!isBare(report)) return undefined;
  let fault: unknown;
  for (const index of [...gridIndexesFor(folder.path + name), ...indexesFor(name, await folder.names())]) {
    try {
      const found = await explainBy(name, report, index, folder);
      if (found !== undefined) return found;
    } catch (error) {
      if (!isFault(error)) throw error;
      if (error.retry) fault ??= error;
    }
  }
  if (fault !== undefined) throw fault;
  return undefined;
};

const explainBy = async (
  name: string,
  file: Report,
  index: string,
  folder: Folder,
): Promise<ExplainedBy | undefined> => {
  const size = await folder.size(index);
  if (size === undefined || size > MAX_INDEX_BYTES) return undefined;
  const weighed = await folder.weigh(index);
  if (weighed === undefined || !weighed.allowed) return undefined;
  const { sha256, report } = weighed;
  if (report.coverage.state !== 'complete' || report.content !== 'inert') return undefined;
  for (const [number, companion] of (report.companions ?? []).entries()) {
    const found = { path: placeOf(folder.path, index), sha256, format: report.format };
    if (companion.grid !== undefined) {
      if (fillsGrid(companion, companion.grid, keyOf(folder.path + name, index), file)) return found;
      continue;
    }
    const names = namesOf(companion, index);
    if (file.format !== 'unknown' || !names.includes(name) || (await totalSize(names, folder)) !== companion.size)
      continue;
    if (await isAsLaidOut(companion, `${sha256}/${number}`, folder)) return found;
  }
  return undefined;
};

/** Files that one index of parts may name: each of them is fetched and judged before the index passes. */
const MAX_PARTS = 256;

/**
 * The first of the files whose parts the index has its loader unpickle, when all of them are there, allowed, and made of
 * judged checkpoints that are cut exactly where the index cuts. Nothing else may keep the index from passing.
 */
const explainByParts = async (
  { content, coverage, findings }: Report,
  parts: readonly Part[],
  folder: Folder,
): Promise<ExplainedBy | undefined> => {
  if (content !== 'unknown' || coverage.state !== 'complete' || parts.length > MAX_PARTS) return undefined;
  if (findings.some(({ severity }) => severity !== 'info')) return undefined;
  let first: ExplainedBy | undefined;
  for (const part of parts) {
    if ((await folder.size(part.name)) !== part.size) return undefined;
    const weighed = await folder.weigh(part.name);
    if (weighed === undefined || !weighed.allowed || !isCutAs(part, weighed.report)) return undefined;
    first ??= { path: folder.path + part.name, sha256: weighed.sha256, format: weighed.report.format };
  }
  return first;
};

/** Whether the file is of checkpoints that end where the part says; one alone is the whole file. */
const isCutAs = ({ count, cuts }: Part, { coverage, details, format }: Report): boolean =>
  coverage.state === 'complete' &&
  (format === 'torch-distcp' ? details?.['cuts'] === cuts : format === 'torch-zip' && count === 1);

const namesOf = ({ names, sameStem }: Companion, index: string): readonly string[] =>
  sameStem ? names.map((name) => index.replace(/\.[^.]*$/, '') + name) : names;

/** Bytes of all files of these names; undefined when one is missing. */
const totalSize = async (names: readonly string[], folder: Folder): Promise<number | undefined> => {
  let total = 0;
  for (const name of names) {
    const size = await folder.size(name);
    if (size === undefined) return undefined;
    total += size;
  }
  return total;
};

/** Whether the bytes that belong to no tensor are those that the index says, and the neighbours in a graph exist. */
const isAsLaidOut = async (
  { fixed, graph, names, size }: Companion,
  layout: string,
  folder: Folder,
): Promise<boolean> => {
  if (fixed.length === 0 && graph === undefined) return true;
  if (names.length > 1 || (graph !== undefined && graph.count * graph.size > size)) return false;
  return folder.check(
    layout,
    async (read) => (await isPadded(fixed, read)) && (graph === undefined || (await isGraph(graph, read))),
  );
};

const isPadded = async (fixed: Companion['fixed'], read: ReadBytes): Promise<boolean> => {
  for (const { offset, length, value } of fixed) {
    for (let at = 0; at < length; at += BLOCK) {
      const bytes = await read(offset + at, Math.min(BLOCK, length - at));
      if (bytes.some((byte, index) => byte !== byteOf(value, at + index))) return false;
    }
  }
  return true;
};

/** The byte at `index` of a little-endian number. */
const byteOf = (value: number, index: number): number => (index < 8 ? Math.floor(value / 256 ** index) % 256 : 0);

const isGraph = async ({ count, size, most }: Graph, read: ReadBytes): Promise<boolean> => {
  if (4 + 4 * most > size || size > GRAPH_BLOCK) return false;
  const many = Math.floor(GRAPH_BLOCK / size);
  for (let first = 0; first < count; first += many) {
    const records = Math.min(many, count - first);
    const bytes = await read(first * size, records * size);
    const view = new DataView(bytes.buffer, bytes.byteOffset, records * size);
    for (let at = 0; at < records * size; at += size) {
      const neighbours = view.getUint16(at, true);
      if (neighbours > most) return false;
      for (let index = 1; index <= neighbours; index++) if (view.getUint32(at + 4 * index, true) >= count) return false;
    }
  }
  return true;
};
