import { createFrontier } from '../merkle/frontier.ts';
import { DIGEST_BYTES } from '../merkle/hash.ts';
import { tree } from './digest.ts';
import { parseEntry } from './entry.ts';
import type { Segment } from './layout.ts';
import { readLines } from './reader.ts';
import type { LeafHashes } from './tree-file.ts';
import type { Problem } from './verify.ts';

/** Decisions that are waited for at a time; more than any gateway has under way. */
const MAX_OPEN = 100_000;
/** Leaf hashes compared at a time. */
const BLOCK = 4096;

/** One pass over a log. */
export type Scan = {
  /** Complete lines. */
  readonly size: number;
  readonly torn: boolean;
  /** Roots at the sizes that were asked for, as far as there are entries. */
  readonly roots: ReadonlyMap<number, Uint8Array>;
  /** The first line that is not what the leaf hashes say. */
  readonly mismatch: { readonly entry: number; readonly leaf: Uint8Array; readonly crlf: boolean } | undefined;
  /** The first segment whose name does not follow from the entries before it. */
  readonly gap: (Problem & { readonly entry: number }) | undefined;
  /** Decisions without outcome. */
  readonly unfinished: number;
  /** Positions whose line is empty: what stood there is known by its leaf hash only. */
  readonly emptied: readonly Emptied[];
  /** What entries say that segments were left as, by the position of their first entry: a sha256. */
  readonly thinned: ReadonlyMap<number, string>;
};

/** Lines of one segment that are empty. */
export type Emptied = { readonly segment: Segment; readonly first: number; count: number };

/** Reads all entries once: computes the roots at `sizes` and compares each line with the leaf `hashes`. */
export const scanLog = async (
  segments: readonly Segment[],
  hashes: LeafHashes,
  sizes: readonly number[],
): Promise<Scan> => {
  const frontier = createFrontier(tree);
  const wanted = new Set(sizes);
  const roots = new Map<number, Uint8Array>(wanted.has(0) ? [[0, frontier.root()]] : []);
  const open = new Set<string>();
  const emptied: Emptied[] = [];
  const thinned = new Map<number, string>();
  let [torn, mismatch, gap]: [boolean, Scan['mismatch'], Scan['gap']] = [false, undefined, undefined];
  let block: { first: number; bytes: Buffer } = { first: 0, bytes: Buffer.alloc(0) };

  const stored = (index: number): Buffer => {
    if (index >= block.first + BLOCK || block.bytes.length === 0)
      block = { first: index, bytes: hashes.read(index, BLOCK) };
    const at = (index - block.first) * DIGEST_BYTES;
    return block.bytes.subarray(at, at + DIGEST_BYTES);
  };
  const take = (line: Buffer, segment: Segment): void => {
    const entry = frontier.size;
    if (line.length === 0 && entry < hashes.size) {
      const last = emptied.at(-1);
      if (last?.segment === segment) last.count += 1;
      else emptied.push({ segment, first: entry, count: 1 });
      append(stored(entry));
      return;
    }
    const leaf = tree.leaf(line);
    if (mismatch === undefined && entry < hashes.size && !stored(entry).equals(leaf)) {
      mismatch = { entry, leaf, crlf: line.at(-1) === 13 };
    }
    append(leaf);
    follow(open, line);
    if (line.includes(THINNED)) noteThinned(thinned, line);
  };
  const append = (leaf: Uint8Array): void => {
    frontier.append(leaf);
    if (wanted.has(frontier.size)) roots.set(frontier.size, frontier.root());
  };
  for (const segment of segments) {
    if (segment.first !== frontier.size) gap ??= missing(segment, frontier.size);
    for await (const part of readLines(segment.entries)) {
      for (const line of part.lines) take(line, segment);
      torn = part.torn !== undefined;
    }
  }
  return { size: frontier.size, torn, roots, mismatch, gap, unfinished: open.size, emptied, thinned };
};

const THINNED = Buffer.from('"kind":"log.thinned"');

const noteThinned = (thinned: Map<number, string>, line: Buffer): void => {
  const entry = parseEntry(line.toString());
  const { segment, sha256 } = entry?.detail ?? {};
  if (entry?.kind === 'log.thinned' && typeof segment === 'number' && typeof sha256 === 'string')
    thinned.set(segment, sha256);
};

const missing = ({ first, entries }: Segment, size: number): Problem & { entry: number } =>
  first > size
    ? { kind: 'removed', entry: size, text: `entries ${size} to ${first - 1} are missing before ${entries}` }
    : {
        kind: 'inserted',
        entry: first,
        text: `there are ${size} entries before ${entries}, which begins with ${first}`,
      };

const [DECISION, OUTCOME] = ['"kind":"artefact.decision"', '"kind":"artefact.outcome"'].map((text) =>
  Buffer.from(text),
);
/** A refusal is its own outcome. */
const REFUSED = Buffer.from('"release":"refused"');
/** Where what identifies a download stands in a line; the order of keys is fixed. */
const [REQUEST, PATH] = ['"request":{"id":"', '"path":"'].map((text) => Buffer.from(text));

/**
 * Keeps the requests that have a decision and no outcome. Looks at the bytes of the line, since parsing a million of
 * them takes longer than hashing them; it is only for a notice.
 */
const follow = (open: Set<string>, line: Buffer): void => {
  const [decided, ended] = [line.indexOf(DECISION ?? '') >= 0, line.indexOf(OUTCOME ?? '') >= 0];
  if (decided === ended || (decided && line.indexOf(REFUSED) >= 0)) return;
  const key = `${textAfter(line, REQUEST)} ${textAfter(line, PATH)}`;
  if (ended) open.delete(key);
  else if (open.size < MAX_OPEN) open.add(key);
};

/** The text, as it is escaped, behind a key. */
const textAfter = (line: Buffer, key: Buffer | undefined): string => {
  if (key === undefined) return '';
  const at = line.indexOf(key);
  const start = at + key.length;
  return at < 0 ? '' : line.toString('latin1', start, Math.max(start, line.indexOf('",', start)));
};
