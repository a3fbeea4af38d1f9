import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { WeighbridgeError } from '../errors.ts';
import { DIGEST_BYTES } from '../merkle/hash.ts';
import { tree } from './digest.ts';
import { type LoggedEntry, parseEntry } from './entry.ts';
import { indexFiles, listSegments } from './layout.ts';
import { LINE_FEED, notAsSigned, replace, split, THINNED_KIND } from './retention.ts';
import type { AccessLog } from './types.ts';

/** Why an entry is taken out, and by whom as the log calls people. */
export type Redaction = { readonly reason: string; readonly actor: string };

/**
 * Takes one entry out of a log, as retention does with what is past its time: its line is left empty, its leaf hash stays, and
 * an entry says so first, so that the rest, every proof and every checkpoint verify. `log` must begin a new segment with that
 * entry, since the segment of the other must have ended. Resolves with what was taken out. Throws NOT_FOUND when there is no
 * such entry (any more), REQUEST_INVALID for one that accounts for others, LOG_CORRUPT when the segment is not what was signed.
 */
export const redactEntry = async (
  directory: string,
  log: Pick<AccessLog, 'append'>,
  position: number,
  { actor, reason }: Redaction,
): Promise<LoggedEntry> => {
  const segment = listSegments(directory).findLast(({ first }) => first <= position);
  const lines = segment === undefined ? [] : split(await readFile(segment.entries));
  const at = position - (segment?.first ?? 0);
  const entry = parseEntry(lines[at]?.toString() ?? '');
  if (segment === undefined || entry === undefined)
    throw new WeighbridgeError('NOT_FOUND', `the log has no entry ${position}, or not any more`);
  if (entry.kind === THINNED_KIND)
    throw new WeighbridgeError('REQUEST_INVALID', `entry ${position} accounts for what was taken out: it stays`);
  const hashes = await readFile(segment.hashes);
  for (const [index, line] of lines.entries())
    if (line.length > 0 && !hashes.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES).equals(tree.leaf(line)))
      throw notAsSigned(segment, `line ${index + 1} is another`);
  const left = lines.flatMap((line, index) => (index === at ? [LINE_FEED] : [line, LINE_FEED]));
  const bytes = Buffer.concat(left);
  const detail = {
    segment: segment.first,
    entries: lines.length,
    removed: 1,
    entry: position,
    reason,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  };
  const said = await log.append({ kind: THINNED_KIND, actor, detail });
  if (listSegments(directory).findLast(({ first }) => first <= said)?.first === segment.first)
    throw new WeighbridgeError('REQUEST_INVALID', `the segment of entry ${position} has not ended`);
  await replace(directory, segment.entries, bytes);
  // It knows entries by where they stood.
  for (const path of indexFiles(directory)) await rm(path, { force: true });
  return entry;
};
