import { readFileSync } from 'node:fs';
import { WeighbridgeError } from '../errors.ts';
import { parseNote } from '../merkle/checkpoint.ts';
import { linesFrom } from './index-source.ts';
import { listSegments, logFiles } from './layout.ts';
import { consistencyFrom, inclusionProof } from './proof.ts';
import { openLeafHashes, openTree } from './tree-file.ts';

/** Nodes of a full tile, and the levels of the tree that one stands for (C2SP tlog-tiles). */
export const TILE_WIDTH = 256;
const TILE_HEIGHT = 8;

/** What can be asked about the tree of a log. `width` is the number of nodes or entries: 256 of a full tile. */
export type TreeQuestion =
  | { readonly kind: 'checkpoint' }
  | { readonly kind: 'inclusion'; readonly entry: number }
  | { readonly kind: 'consistency'; readonly from: number }
  | { readonly kind: 'tile'; readonly level: number; readonly index: number; readonly width: number }
  | { readonly kind: 'entries'; readonly index: number; readonly width: number };

/** The answer as bytes. Throws NOT_FOUND for what the newest checkpoint does not cover or what was taken out. */
export const askTree = async (directory: string, question: TreeQuestion): Promise<Uint8Array> => {
  if (question.kind === 'checkpoint') return readFileSync(logFiles(directory).checkpoint);
  const { size } = parseNote(readFileSync(logFiles(directory).checkpoint, 'utf8')).checkpoint;
  if (question.kind === 'tile') return tile(directory, question, size);
  if (question.kind === 'entries') return bundle(directory, question, size);
  if (question.kind === 'inclusion') {
    if (question.entry >= size) throw outside(size);
    return Buffer.from(inclusionProof(directory, question.entry));
  }
  if (question.from > size) throw outside(size);
  return Buffer.from(consistencyFrom(directory, question.from));
};

type Tile = Extract<TreeQuestion, { readonly kind: 'tile' }>;
type Bundle = Extract<TreeQuestion, { readonly kind: 'entries' }>;

const tile = (directory: string, { index, level, width }: Tile, size: number): Uint8Array => {
  const nodes = Math.floor(size / TILE_WIDTH ** level);
  const first = index * TILE_WIDTH;
  if (first + width > nodes) throw outside(size);
  const hashes = openLeafHashes(directory);
  try {
    if (level === 0) return hashes.read(first, width);
    const at = openTree(hashes, size);
    return Buffer.concat(Array.from({ length: width }, (_, node) => at(level * TILE_HEIGHT, first + node)));
  } finally {
    hashes.close();
  }
};

/** Entries, each behind its length in two bytes, the high one first. */
const bundle = async (directory: string, { index, width }: Bundle, size: number): Promise<Uint8Array> => {
  const [first, end] = [index * TILE_WIDTH, index * TILE_WIDTH + width];
  if (end > size) throw outside(size);
  const segment = listSegments(directory).findLast((one) => one.first <= first);
  if (segment === undefined) throw gone();
  const parts: Buffer[] = [];
  for await (const lines of linesFrom(directory, { position: segment.first, segment: segment.first, offset: 0 })) {
    for (const { line, position } of lines) {
      if (position < first || position >= end) continue;
      if (line.length === 0) throw gone();
      const length = Buffer.alloc(2);
      length.writeUInt16BE(line.length);
      parts.push(length, line);
    }
    if ((lines.at(-1)?.position ?? 0) >= end - 1) return Buffer.concat(parts);
  }
  throw gone();
};

const outside = (size: number): WeighbridgeError =>
  new WeighbridgeError('NOT_FOUND', `the newest checkpoint covers ${size} entries, which does not reach that far`);

const gone = (): WeighbridgeError =>
  new WeighbridgeError(
    'NOT_FOUND',
    'some of these entries were taken out of the log: they are past their time, or were redacted',
  );
