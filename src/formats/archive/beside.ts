import { KIB, MIB } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { type Companion, type Graph, type Inspection, UNRECOGNISED } from '../format.ts';
import type { Together } from './together.ts';

/** Files of an archive that are told by others beside them, and files that lay them out: more are not kept. */
const KEPT = 20_000;
/** Bytes of padding that are read at once, and of a graph. */
const [BLOCK, GRAPH_BLOCK] = [64 * KIB, 1 * MIB];

type Kept = { readonly name: string; readonly bytes: RandomAccess; readonly inspection: Inspection };

/** What lies beside each other in an archive. */
export type Beside = {
  /** Notes a member, and says whether it has to be judged by what lies beside it. */
  note(name: string, bytes: RandomAccess, inspection: Inspection | Together): boolean;
  /** The members noted as bare which no member of the same folder lays out to the last byte. */
  unexplained(): readonly Kept[];
};

const folderOf = (name: string): string => name.slice(0, name.lastIndexOf('/') + 1);

/**
 * Members in which nothing is recognised pass by an index in their folder, as files of a repository do: when it is whole,
 * holds nothing but data, and lays out every byte of them. What was found in the index stands in the report of the archive.
 */
export const createBeside = (): Beside => {
  const sizes = new Map<string, number>();
  const twice = new Set<string>();
  const bare: Kept[] = [];
  const indexes = new Map<string, Kept[]>();
  let kept = 0;

  const laysOut = (index: Kept, file: Kept): boolean =>
    (index.inspection.companions ?? []).some((companion) => {
      if (companion.grid !== undefined) return false;
      const names = namesOf(companion, index.name);
      if (!names.includes(file.name)) return false;
      const total = names.reduce(
        (sum, name) => sum + (twice.has(name) ? Number.NaN : (sizes.get(name) ?? Number.NaN)),
        0,
      );
      return total === companion.size && isAsLaidOut(companion, file.bytes);
    });

  return {
    note(name, bytes, inspection) {
      if (sizes.has(name)) twice.add(name);
      sizes.set(name, bytes.size);
      if (!('format' in inspection) || kept >= KEPT) return false;
      const member = { name, bytes, inspection };
      if (isIndex(inspection)) {
        kept += 1;
        const folder = folderOf(name);
        indexes.set(folder, [...(indexes.get(folder) ?? []), member]);
      }
      if (!isBare(inspection)) return false;
      kept += 1;
      bare.push(member);
      return true;
    },
    unexplained: () =>
      bare.filter((file) => !(indexes.get(folderOf(file.name)) ?? []).some((index) => laysOut(index, file))),
  };
};

const isIndex = ({ companions, content, coverage }: Inspection): boolean =>
  companions !== undefined && content === 'inert' && coverage.state === 'complete';

const isBare = ({ format, content, coverage }: Inspection): boolean =>
  format === 'unknown' && content === 'unknown' && coverage.reason === UNRECOGNISED;

const namesOf = ({ names, sameStem }: Companion, index: string): readonly string[] =>
  sameStem ? names.map((name) => index.replace(/\.[^./]*$/, '') + name) : names.map((name) => folderOf(index) + name);

/** Whether the bytes that belong to no tensor are those that the index says, and the neighbours in a graph exist. */
const isAsLaidOut = ({ fixed, graph, names, size }: Companion, bytes: RandomAccess): boolean => {
  if (fixed.length === 0 && graph === undefined) return true;
  if (names.length > 1 || (graph !== undefined && graph.count * graph.size > size)) return false;
  return fixed.every((part) => isFixed(part, bytes)) && (graph === undefined || isGraph(graph, bytes));
};

const isFixed = ({ offset, length, value }: Companion['fixed'][number], bytes: RandomAccess): boolean => {
  for (let at = 0; at < length; at += BLOCK) {
    const part = bytes.read(offset + at, Math.min(BLOCK, length - at));
    if (part.some((byte, index) => byte !== byteOf(value, at + index))) return false;
  }
  return true;
};

/** The byte at `index` of a little-endian number. */
const byteOf = (value: number, index: number): number => (index < 8 ? Math.floor(value / 256 ** index) % 256 : 0);

const isGraph = ({ count, size, most }: Graph, bytes: RandomAccess): boolean => {
  if (4 + 4 * most > size || size > GRAPH_BLOCK) return false;
  const many = Math.floor(GRAPH_BLOCK / size);
  for (let first = 0; first < count; first += many) {
    const records = Math.min(many, count - first);
    const part = bytes.read(first * size, records * size);
    const view = new DataView(part.buffer, part.byteOffset, part.length);
    for (let at = 0; at < part.length; at += size) {
      const neighbours = view.getUint16(at, true);
      if (neighbours > most) return false;
      for (let index = 1; index <= neighbours; index++) if (view.getUint32(at + 4 * index, true) >= count) return false;
    }
  }
  return true;
};
