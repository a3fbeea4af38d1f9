import { sameDigest } from '../merkle/hash.ts';
import { tree } from './digest.ts';
import type { Segment } from './layout.ts';
import { readLines } from './reader.ts';
import type { Scan } from './scan.ts';
import { eachHash, type LeafHashes } from './tree-file.ts';
import type { Problem } from './verify.ts';

/**
 * Names the first entry below `trusted` that is not what it was, and what happened to it; undefined when none is.
 * The leaf hashes up to `trusted` are vouched for by a signed root.
 */
export const locate = async (
  scan: Scan,
  hashes: LeafHashes,
  segments: readonly Segment[],
  trusted: number,
): Promise<Problem | undefined> => {
  const { mismatch, size } = scan;
  if (mismatch === undefined || mismatch.entry >= trusted) {
    if (size >= trusted) return undefined;
    const text = `entries ${size} to ${trusted - 1} were removed: the log ends before them, and they were signed`;
    return { kind: 'cut', entry: size, text };
  }
  const { entry, leaf, crlf } = mismatch;
  const where = await place(segments, entry);
  const origin = find(hashes, leaf, trusted);
  const moved = await findLine(segments, hashes.read(entry, 1), entry + 1);
  const problem = (kind: Problem['kind'], text: string): Problem => ({ kind, entry, text: `${text} (${where})` });

  if (origin === undefined) {
    if (moved !== undefined) return problem('inserted', `a line that was never signed was inserted at entry ${entry}`);
    return problem(
      'changed',
      `entry ${entry} was changed${crlf ? ': its line ends in CR LF, the file was converted' : ''}`,
    );
  }
  if (moved !== undefined) {
    const copied = origin < entry || (await findLine(segments, leaf, entry + 1)) !== undefined;
    if (copied) return problem('inserted', `a copy of entry ${origin} was inserted at entry ${entry}`);
    return problem('reordered', `entry ${entry} was moved to ${moved}, entry ${origin} is in its place`);
  }
  if (origin < entry) return problem('changed', `entry ${entry} was replaced by a copy of entry ${origin}`);
  const last = origin - 1;
  return problem('removed', last === entry ? `entry ${entry} was removed` : `entries ${entry} to ${last} were removed`);
};

/** The entry below `end` that has this leaf hash. */
const find = (hashes: LeafHashes, leaf: Uint8Array, end: number): number | undefined => {
  let found: number | undefined;
  eachHash(hashes, 0, end, (hash, index) => {
    if (found === undefined && hash.equals(leaf)) found = index;
  });
  return found;
};

/** The position, from `from` on, of the line with this leaf hash. */
const findLine = async (segments: readonly Segment[], leaf: Uint8Array, from: number): Promise<number | undefined> => {
  let index = 0;
  for (const { entries } of segments) {
    for await (const { lines } of readLines(entries)) {
      for (const line of lines) {
        if (index >= from && sameDigest(leaf, tree.leaf(line))) return index;
        index += 1;
      }
    }
  }
  return undefined;
};

/** File and line of the entry at a position. */
const place = async (segments: readonly Segment[], position: number): Promise<string> => {
  let before = 0;
  for (const { entries } of segments) {
    let count = 0;
    for await (const { lines } of readLines(entries)) count += lines.length;
    if (position < before + count) return `${entries}, line ${position - before + 1}`;
    before += count;
  }
  return 'behind the last line';
};
