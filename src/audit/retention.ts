import { createHash } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { setImmediate as others } from 'node:timers/promises';
import { WeighbridgeError } from '../errors.ts';
import { DIGEST_BYTES } from '../merkle/hash.ts';
import { tree } from './digest.ts';
import { type LoggedEntry, parseEntry } from './entry.ts';
import { indexFiles, listSegments, type Segment } from './layout.ts';
import { readLines } from './reader.ts';
import type { AccessLog } from './types.ts';

/** How long entries stay, in ms, and which stay longer. */
export type Retention = {
  readonly keep: number;
  /** Of decisions, and of what was changed by whom. */
  readonly keepDecisions: number;
  /** Entries under a legal hold. */
  readonly held?: (entry: LoggedEntry) => boolean;
};

/** What was taken out of one segment. */
export type Thinned = { readonly segment: number; readonly entries: number; readonly removed: number };

/** Kinds that are kept as long as decisions: what was decided, made, ordered and changed. All others are kept as entries. */
const LASTING =
  /^(?:artefact\.decision|upload\.decision|conversion|(?:policy|knownbad|config|token|account|session|credential|order|node)\..+|log\.(?:recovered|exported))$/;

/** Says what was taken out, for as long as there is a log: `verify` asks for it. */
export const THINNED_KIND = 'log.thinned';

/**
 * Takes out of the log what is past its time, in segments that are full and whose every entry is. The line of an entry that
 * goes is left empty and its leaf hash stays, so that the tree, every proof and every checkpoint hold as before. An entry of
 * the log says first what the segment will be from then on. Throws LOG_CORRUPT when a segment is not what its leaf hashes
 * say, and then leaves it alone: it is evidence.
 */
export const thinLog = async (
  directory: string,
  log: Pick<AccessLog, 'append'>,
  retention: Retention,
  now: number,
): Promise<readonly Thinned[]> => {
  const segments = listSegments(directory);
  const done: Thinned[] = [];
  for (const [at, segment] of segments.slice(0, -1).entries()) {
    const next = segments[at + 1];
    if (next === undefined || (await beginningOf(next)) >= now - retention.keep) break;
    const thinned = await thin(segment, retention, now);
    if (thinned === undefined) continue;
    const { bytes, entries, removed } = thinned;
    const detail = {
      segment: segment.first,
      entries,
      removed,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    };
    await log.append({ kind: THINNED_KIND, detail });
    await replace(directory, segment.entries, bytes);
    done.push({ segment: segment.first, entries, removed });
  }
  // It knows entries by where they stood.
  if (done.length > 0) for (const path of indexFiles(directory)) await rm(path, { force: true });
  return done;
};

const beginningOf = async ({ entries }: Segment): Promise<number> => {
  for await (const { lines } of readLines(entries))
    for (const line of lines) {
      const entry = parseEntry(line.toString());
      if (entry !== undefined) return Date.parse(entry.time);
    }
  return Number.POSITIVE_INFINITY;
};

/** The segment without what is past its time; undefined when all of it stays. */
const thin = async (segment: Segment, { held, keep, keepDecisions }: Retention, now: number) => {
  const hashes = await readFile(segment.hashes);
  const lines = split(await readFile(segment.entries));
  if (hashes.length < lines.length * DIGEST_BYTES) throw notAsSigned(segment, 'its leaf hashes are missing');
  let removed = 0;
  const look = (line: Buffer, at: number): Buffer => {
    if (line.length === 0) return line;
    const leaf = hashes.subarray(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES);
    if (!leaf.equals(tree.leaf(line))) throw notAsSigned(segment, `line ${at + 1} is another`);
    const entry = parseEntry(line.toString());
    if (entry === undefined || entry.kind === THINNED_KIND) return line;
    const life = LASTING.test(entry.kind) ? Math.max(keep, keepDecisions) : keep;
    if (Date.parse(entry.time) >= now - life || held?.(entry) === true) return line;
    removed += 1;
    return EMPTY;
  };
  const kept: Buffer[] = [];
  for (const [at, line] of lines.entries()) {
    kept.push(look(line, at));
    if (at % SLICE === SLICE - 1) await others();
  }
  if (removed === 0) return undefined;
  return { bytes: Buffer.concat(kept.flatMap((line) => [line, LINE_FEED])), entries: lines.length, removed };
};

/** Lines looked at in one go, some 3 ms of the thread that serves. */
const SLICE = 300;
const EMPTY = Buffer.alloc(0);
export const LINE_FEED = Buffer.from('\n');

/** The complete lines of a file without their line breaks. */
export const split = (content: Buffer): Buffer[] => {
  const lines: Buffer[] = [];
  for (let start = 0, end = content.indexOf(10); end >= 0; start = end + 1, end = content.indexOf(10, start))
    lines.push(content.subarray(start, end));
  return lines;
};

/** For a segment that is not what its leaf hashes say. */
export const notAsSigned = ({ entries }: Segment, why: string): WeighbridgeError =>
  new WeighbridgeError('LOG_CORRUPT', `nothing is taken out of ${entries}: ${why}; run \`weighbridge log verify\``);

/** Puts the whole content in the place of a file, or nothing. */
export const replace = async (directory: string, path: string, bytes: Uint8Array): Promise<void> => {
  await written(`${path}.new`, 'w', bytes);
  await rename(`${path}.new`, path);
  await written(directory, 'r');
};

/** Writes a file, or nothing to a folder, and waits for the disk. */
const written = async (path: string, flags: 'r' | 'w', bytes?: Uint8Array): Promise<void> => {
  const file = await open(path, flags, 0o600);
  try {
    if (bytes !== undefined) await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
};
