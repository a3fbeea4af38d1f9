import { WeighbridgeError } from '../errors.ts';
import type { BlobHandle } from '../store/types.ts';
import { described, enterRefusal, type Parts, serving, sha256Of } from './answers.ts';
import type { Stored } from './intake.ts';
import { type Judgement, refusedLate, refuses } from './judge.ts';
import { resolveRange } from './ranges.ts';
import { entered, fromBlob, openStored, withhold } from './release.ts';
import type { Answer, ByteRange, ByteRangeRequest, ListedFile, RepoAt, Requester } from './types.ts';
import { unlessGone } from './waiting.ts';
import type { Weighed } from './weigh.ts';

/** Formats of whose beginning no loader makes anything: the only ones that may leave before the verdict. */
const SEALABLE: ReadonlySet<string> = new Set(['safetensors', 'gguf', 'zip', 'parquet']);

/** Answers a GET of a file as upstream has it: cached, sealed or held, whichever comes first. */
export const serveOriginal = async (
  parts: Parts,
  repo: RepoAt,
  file: ListedFile,
  wanted: ByteRangeRequest | undefined,
  who: Requester,
): Promise<Answer> => {
  const early = await parts.judge(repo, file, who, {});
  if (refuses(early.decision)) return enterRefusal(parts, early, repo, file.path, who);
  const whole = wanted !== undefined && parts.intakes.lied(repo, file);
  const range = resolveRange(whole ? undefined : wanted, file.size);
  const answer =
    (await cached(parts, repo, file, range, who)) ??
    (await sealed(parts, repo, file, range, who)) ??
    (await held(parts, repo, file, range, who));
  return answer.kind === 'ready' && whole ? { ...answer, whole } : answer;
};

/** From the store, when the whole file is there. */
const cached = async (
  parts: Parts,
  repo: RepoAt,
  file: ListedFile,
  range: ByteRange,
  who: Requester,
): Promise<Answer | undefined> => {
  const stored = await parts.intakes.known(repo, file);
  const blob = stored === undefined ? undefined : await parts.blobs.open(stored.sha256);
  return blob === undefined ? undefined : judged(parts, repo, file, range, who, blob, 'cached');
};

/** Nothing leaves until the whole file is judged. The transfer goes on when the client leaves. */
const held = async (
  parts: Parts,
  repo: RepoAt,
  file: ListedFile,
  range: ByteRange,
  who: Requester,
): Promise<Answer> => {
  const { sha256 } = await unlessGone(parts.intakes.fetched(repo, file), who.signal);
  return judged(parts, repo, file, range, who, await openStored(parts.blobs, sha256), 'held');
};

/** Judges a blob that is open, and so stays, and takes its bytes for the answer. */
const judged = async (
  parts: Parts,
  repo: RepoAt,
  file: ListedFile,
  range: ByteRange,
  who: Requester,
  blob: BlobHandle,
  release: 'cached' | 'held',
): Promise<Answer> => {
  const { judge, log, scales } = parts;
  const { sha256 } = blob;
  try {
    const report = await unlessGone(scales.stored(sha256), who.signal);
    const judgement = await unlessGone(judge(repo, file, who, { sha256, report }), who.signal);
    const { decision, entry } = judgement;
    if (decision.action !== 'allow') {
      await blob.close();
      return enterRefusal(parts, judgement, repo, file.path, who);
    }
    await log.append({ ...entry, kind: 'artefact.decision' });
    const served = serving(release, range, file.size);
    const body = entered(fromBlob(blob, range), range, log, () => ({ ...entry, served }));
    return { kind: 'ready', file: described(file), decision, body };
  } catch (error) {
    await blob.close();
    throw error;
  }
};

/** While it arrives, to clients that notice a short body. Undefined when this file may not leave that way. */
const sealed = async (
  parts: Parts,
  repo: RepoAt,
  file: ListedFile,
  range: ByteRange,
  who: Requester,
): Promise<Answer | undefined> => {
  const { intakes, judge, log, scales, timings } = parts;
  if (file.size < timings.sealedFrom || !who.checksLength || range.end !== file.size) return undefined;
  // Whoever was cut off because of it comes again for the reason, not for the same bytes.
  if (intakes.lied(repo, file)) return undefined;
  const weighed = await unlessGone(scales.early(repo, file), who.signal);
  if (weighed.ranges === undefined || !SEALABLE.has(weighed.report.format)) return undefined;
  const provisional = await judge(repo, file, who, { ...weighed, provisional: true });
  const { decision } = provisional;
  if (decision.action !== 'allow') return enterRefusal(parts, provisional, repo, file.path, who);
  if (decision.obligations.release === 'hold') return undefined;
  const { writer, done } = await intakes.begin(repo, file);
  await log.append({ ...provisional.entry, kind: 'artefact.decision' });
  let final: Judgement = provisional;
  const verdict = done.then(async (stored) => {
    // Inspected even if it is not what its ranges had shown: from then on that report is what is known of it.
    const report = await scales.stored(stored.sha256);
    await checkRanges(parts, stored, weighed);
    final = await judge(repo, file, who, { sha256: stored.sha256, report });
    if (final.decision.action === 'allow') return;
    throw refusedLate(final.decision, who);
  });
  verdict.catch(() => undefined);
  const served = serving('sealed', range, file.size);
  const body = withhold(writer, range, verdict, timings);
  const tracked = entered(body, range, log, () => ({ ...final.entry, served }));
  return { kind: 'ready', file: described(file), decision, body: tracked };
};

/** The ranges that the provisional report stood on must be ranges of the file that came. */
const checkRanges = async ({ blobs }: Parts, stored: Stored, weighed: Weighed): Promise<void> => {
  const blob = await blobs.open(stored.sha256);
  if (blob === undefined) throw new WeighbridgeError('STORE_CORRUPT', `blob ${stored.sha256} is gone`);
  try {
    for (const { offset, length, sha256 } of weighed.ranges ?? []) {
      if (sha256Of(await blob.read(offset, length)) === sha256) continue;
      const message = 'upstream answers Range with other bytes than it sends';
      throw new WeighbridgeError('UPSTREAM_MISMATCH', message, { offset, length });
    }
  } finally {
    await blob.close();
  }
};
