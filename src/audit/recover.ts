import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { WeighbridgeError } from '../errors.ts';
import { fromBase64 } from '../merkle/base64.ts';
import { type Checkpoint, openCheckpoint, type VerifierKey } from '../merkle/checkpoint.ts';
import { createFrontier, type Frontier } from '../merkle/frontier.ts';
import { sameDigest } from '../merkle/hash.ts';
import { tree, verifyEd25519 } from './digest.ts';
import { parseEntry } from './entry.ts';
import { listSegments, logFiles, type Segment } from './layout.ts';

/** Where the writer goes on. */
export type Recovered = {
  readonly frontier: Frontier;
  /** The segment to append to, and its length in bytes; undefined before the first entry. */
  readonly segment: Segment | undefined;
  readonly bytes: number;
  /** The newest checkpoint; undefined before the first start. */
  readonly checkpoint: Checkpoint | undefined;
  readonly note: string;
  /** Bytes of a torn tail that were cut off. */
  readonly droppedBytes: number;
};

const LINE_FEED = 0x0a;

/**
 * Reads the end of a log: the segment that holds the newest checkpoint and what follows. What lies beyond that
 * checkpoint and is not whole (the process or the machine ended while it was written) is cut off. Anything wrong below
 * it, or a log shorter than it, throws LOG_CORRUPT: that is no crash.
 */
export const recover = (directory: string, key: VerifierKey): Recovered => {
  const segments = listSegments(directory);
  const { checkpoint, note } = readCheckpoint(directory, key, segments.length > 0);
  const signed = checkpoint?.size ?? 0;
  const from = segments.findLastIndex(({ first }) => first <= signed);
  if (from < 0 && (segments.length > 0 || signed > 0)) throw corrupt(`the entries before ${signed} are not there`);

  const recent = segments.slice(Math.max(0, from));
  const frontier = loadFrontier(recent[0]);
  const checkRoot = (): void => {
    if (checkpoint === undefined || frontier.size !== signed || sameDigest(frontier.root(), checkpoint.root)) return;
    throw corrupt(`the entries below the checkpoint of size ${signed} were changed`);
  };
  checkRoot();

  let [bytes, droppedBytes] = [0, 0];
  for (const segment of recent) {
    if (segment.first !== frontier.size) throw corrupt(`${segment.entries} should begin with entry ${frontier.size}`);
    const content = readFileSync(segment.entries);
    const hashes: Uint8Array[] = [];
    bytes = walk(content, (line) => {
      // Below the checkpoint the root is the judge; beyond it only whole entries count.
      if (frontier.size >= signed && parseEntry(line.toString()) === undefined) return false;
      const leaf = tree.leaf(line);
      hashes.push(leaf);
      frontier.append(leaf);
      checkRoot();
      return true;
    });
    droppedBytes = content.length - bytes;
    if (droppedBytes > 0) cutTail(segment, bytes, frontier.size >= signed && segment === recent.at(-1));
    rebuildHashes(segment, hashes);
  }
  if (frontier.size < signed) {
    throw corrupt(`it has ${frontier.size} entries, its checkpoint says ${signed}: entries were cut off`);
  }
  return { frontier, segment: recent.at(-1), bytes, checkpoint, note, droppedBytes };
};

/** Calls `take` with each complete line until it returns false; returns the bytes taken. */
const walk = (content: Buffer, take: (line: Buffer) => boolean): number => {
  let start = 0;
  for (let end = content.indexOf(LINE_FEED); end >= 0; end = content.indexOf(LINE_FEED, start)) {
    if (!take(content.subarray(start, end))) break;
    start = end + 1;
  }
  return start;
};

const cutTail = (segment: Segment, bytes: number, allowed: boolean): void => {
  if (!allowed) throw corrupt(`${segment.entries} is damaged at byte ${bytes}, below the newest checkpoint`);
  truncateSync(segment.entries, bytes);
};

/** The leaf hashes are written without waiting for the disk: after a crash some may be missing or wrong. */
const rebuildHashes = (segment: Segment, hashes: readonly Uint8Array[]): void => {
  const expected = Buffer.concat(hashes);
  if (existsSync(segment.hashes) && readFileSync(segment.hashes).equals(expected)) return;
  writeFileSync(segment.hashes, expected, { mode: 0o600 });
};

const readCheckpoint = (
  directory: string,
  key: VerifierKey,
  expected: boolean,
): { checkpoint: Checkpoint | undefined; note: string } => {
  const path = logFiles(directory).checkpoint;
  if (!existsSync(path)) {
    if (expected) throw corrupt(`there are entries, but no ${path}`);
    return { checkpoint: undefined, note: '' };
  }
  const note = readFileSync(path, 'utf8');
  const checkpoint = openSafely(note, key);
  if (checkpoint === undefined) throw corrupt(`${path} is not signed with the key of this log, or not as ${key.name}`);
  return { checkpoint, note };
};

const openSafely = (note: string, key: VerifierKey): Checkpoint | undefined => {
  try {
    return openCheckpoint(note, key, verifyEd25519);
  } catch {
    return undefined;
  }
};

const loadFrontier = (segment: Segment | undefined): Frontier => {
  if (segment === undefined || segment.first === 0) return createFrontier(tree);
  try {
    const lines = readFileSync(segment.frontier, 'utf8').split('\n').slice(0, -1);
    return createFrontier(
      tree,
      segment.first,
      lines.map(fromBase64).filter((node) => node !== undefined),
    );
  } catch (error) {
    throw new WeighbridgeError(
      'LOG_CORRUPT',
      `the log cannot go on: ${segment.frontier} is damaged`,
      {},
      { cause: error },
    );
  }
};

const corrupt = (what: string): WeighbridgeError =>
  new WeighbridgeError(
    'LOG_CORRUPT',
    `the log cannot go on: ${what}. Keep the folder as it is and run \`weighbridge log verify\``,
  );
