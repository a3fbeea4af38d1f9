import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { WeighbridgeError } from '../errors.ts';
import { parseNote, parseVerifierKey, type VerifierKey } from '../merkle/checkpoint.ts';
import { cosignedAt } from '../merkle/cosignature.ts';
import { sameDigest } from '../merkle/hash.ts';
import { listCosigned } from './cosigned.ts';
import { sha256, verifyEd25519 } from './digest.ts';
import { gatherEvidence, type Signed } from './evidence.ts';
import { listSegments, type Segment } from './layout.ts';
import { locate } from './locate.ts';
import { type Scan, scanLog } from './scan.ts';
import { type LeafHashes, openLeafHashes, rootsAt } from './tree-file.ts';

/** What `verifyLog` is given. */
export type VerifyOptions = {
  /** The folder of a log, or one file of entries that holds the whole log. */
  readonly path: string;
  /** The verifier key, `name+keyid+base64`. */
  readonly key: string;
  /** Files with checkpoints that the auditor kept. */
  readonly checkpoints?: readonly string[];
  /** The key of a witness, which must have signed one of those. */
  readonly witness?: VerifierKey;
};

/** One thing that is wrong. `entry` is the index of the first entry that it concerns. */
export type Problem = {
  readonly kind: 'changed' | 'removed' | 'inserted' | 'reordered' | 'cut' | 'rewritten' | 'signature';
  readonly entry?: number;
  readonly text: string;
};

export type Verdict = {
  readonly ok: boolean;
  readonly entries: number;
  readonly segments: number;
  /** Size of the newest checkpoint: what is below it is vouched for when `ok`. */
  readonly signed: number;
  readonly problems: readonly Problem[];
  /** What is no fault, but should be known. */
  readonly notices: readonly string[];
};

/**
 * Checks a log against its checkpoints, streaming. Below the newest checkpoint the first entry that was changed, removed,
 * inserted or moved is named. Throws NOT_FOUND or FORMAT_INVALID when there is nothing to check or no usable key.
 */
export const verifyLog = async ({ path, key, checkpoints = [], witness }: VerifyOptions): Promise<Verdict> => {
  const verifier = parseVerifierKey(key, sha256);
  const { directory, segments } = find(path);
  const cosigned = witness === undefined ? [] : listCosigned(directory);
  const evidence = await gatherEvidence(directory, verifier, [...checkpoints, ...cosigned]);
  const hashes = openLeafHashes(directory);
  try {
    const scan = await scanLog(segments, hashes, [...new Set(evidence.signed.map(({ size }) => size))]);
    const problems: Problem[] = evidence.problems.map((text) => ({ kind: 'signature', text }));
    problems.push(...(await judge(scan, evidence.signed, hashes, segments)), ...(await unaccounted(scan)));
    const signed = evidence.signed.at(-1)?.size ?? 0;
    const seen = witness === undefined ? [] : witnessed([...checkpoints, ...cosigned], witness);
    if (witness !== undefined && seen.length === 0) problems.push(unwitnessed(witness));
    const notices = [...evidence.notices, ...seen.slice(-1), ...remarks(scan, signed, checkpoints.length > 0)];
    return { ok: problems.length === 0, entries: scan.size, segments: segments.length, signed, problems, notices };
  } finally {
    hashes.close();
  }
};

/** What the roots say. */
const judge = async (
  scan: Scan,
  signed: readonly Signed[],
  hashes: LeafHashes,
  segments: readonly Segment[],
): Promise<Problem[]> => {
  const holds = (checkpoint: Signed): boolean => {
    const root = scan.roots.get(checkpoint.size);
    return root !== undefined && sameDigest(root, checkpoint.root);
  };
  const broken = signed.filter((checkpoint) => !holds(checkpoint));
  const newest = signed.at(-1);
  if (broken.length === 0 || newest === undefined) return [];
  if (holds(newest)) return broken.map((checkpoint) => rewritten(checkpoint, newest));
  // The leaf hashes are as good as the largest checkpoint whose root they have.
  const roots = rootsAt(hashes, [...new Set(signed.map(({ size }) => size))]);
  const trusted = signed.findLast(({ size, root }) => {
    const known = roots.get(size);
    return known !== undefined && sameDigest(known, root);
  });
  const exact = await locate(scan, hashes, segments, trusted?.size ?? 0);
  if (exact !== undefined) return [exact];
  const bad = broken[0] ?? newest;
  const good = signed.findLast((checkpoint) => checkpoint.size <= bad.size && holds(checkpoint))?.size ?? 0;
  if (scan.size < bad.size) return [cut(scan, Math.max(good, Math.min(scan.size, trusted?.size ?? 0)), bad)];
  if (scan.gap !== undefined && scan.gap.entry >= good && scan.gap.entry < bad.size) return [scan.gap];
  return bad.kept && (trusted?.size ?? 0) > bad.size ? [rewritten(bad, newest)] : [between(good, bad)];
};

const cut = (scan: Scan, good: number, bad: Signed): Problem => ({
  kind: 'cut',
  entry: scan.size,
  text:
    `entries from ${scan.size} on were removed: the log ends there, ${bad.source} vouches for ${bad.size}` +
    (good < scan.size ? `; below that the first ${good} are proved whole, the others cannot be checked any more` : ''),
});

const rewritten = (older: Signed, newest: Signed): Problem => ({
  kind: 'rewritten',
  text:
    `the log was rewritten: it agrees with ${newest.source} (${newest.size} entries), but not with ` +
    `${older.source} (${older.size} entries), which is signed with the same key; some entry below ${older.size} is another`,
});

const between = (good: number, bad: Signed): Problem => ({
  kind: 'changed',
  entry: good,
  text:
    `the first entry that was changed, removed or moved is one of ${good} to ${bad.size - 1} (against ${bad.source}); ` +
    'the leaf hashes do not say which, they were changed as well or are missing',
});

/** What the witness has seen, by these files: the largest log last. */
const witnessed = (files: readonly string[], witness: VerifierKey): readonly string[] =>
  files
    .flatMap((path) => {
      try {
        const note = readFileSync(path, 'utf8');
        const time = cosignedAt(note, witness, verifyEd25519);
        return time === undefined ? [] : [{ size: parseNote(note).checkpoint.size, time }];
      } catch {
        return [];
      }
    })
    .sort((a, b) => a.size - b.size)
    .map(({ size, time }) => {
      const at = new Date(time * 1000).toISOString();
      return `the witness ${witness.name} saw ${size} entries at ${at}: what was cut off since cannot be excluded by its word`;
    });

/** None of the checkpoints that were kept has the signature of the witness. */
const unwitnessed = ({ name }: VerifierKey): Problem => ({
  kind: 'signature',
  text: `no checkpoint that was given, or that is kept beside the log, is signed by the witness ${name}`,
});

/** Lines that are empty, where no entry says that the segment was left as it is. */
const unaccounted = async ({ emptied, thinned }: Scan): Promise<Problem[]> => {
  const found: Problem[] = [];
  for (const { count, first, segment } of emptied) {
    const said = thinned.get(segment.first);
    if (said !== undefined && said === (await digestOfFile(segment.entries))) continue;
    const why = said === undefined ? 'no entry says so' : 'not as the entry about it says';
    found.push({
      kind: 'removed',
      entry: first,
      text: `${count} entries of ${segment.entries} were taken out, ${why}`,
    });
  }
  return found;
};

const digestOfFile = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
};

const remarks = (scan: Scan, signed: number, kept: boolean): string[] => {
  const found: string[] = [];
  const emptied = scan.emptied.reduce((sum, { count }) => sum + count, 0);
  if (emptied > 0)
    found.push(`${emptied} entries were taken out, as the log says, and are known by their leaf hashes only`);
  if (scan.size > signed)
    found.push(`entries ${signed} to ${scan.size - 1} are newer than the newest checkpoint: not vouched for yet`);
  if (scan.torn) found.push('the last line is not complete: the log is being written, or was when its machine stopped');
  if (scan.unfinished > 0) found.push(`${scan.unfinished} decisions have no outcome yet`);
  found.push(
    kept
      ? `entries that were removed behind entry ${signed - 1} cannot be excluded: keep the newest checkpoint for the next time`
      : `no checkpoint from elsewhere was given: that entries behind entry ${signed - 1} were removed, or the whole log was ` +
          'written again with its own key, cannot be excluded',
  );
  return found;
};

const find = (path: string): { directory: string; segments: Segment[] } => {
  try {
    if (!statSync(path).isDirectory()) {
      const whole = { first: 0, entries: path, hashes: '', frontier: '' };
      return { directory: dirname(path), segments: [whole] };
    }
    return { directory: path, segments: listSegments(path) };
  } catch (error) {
    throw new WeighbridgeError('NOT_FOUND', `there is no log at ${basename(path)}`, {}, { cause: error });
  }
};
