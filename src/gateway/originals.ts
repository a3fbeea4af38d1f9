import { WeighbridgeError } from '../errors.ts';
import type { BlobHandle } from '../store/types.ts';
import { described, enterRefusal, type Parts, serving, sha256Of } from './answers.ts';
import { serveCard } from './cards.ts';
import { dropsRows, serveDerived } from './derived.ts';
import { type Judgement, refusedLate, refuses } from './judge.ts';
import { isCard } from './names.ts';
import { resolveRange } from './ranges.ts';
import { entered, openStored, releaseBlob, withhold } from './release.ts';
import type { Answer, ByteRange, ByteRangeRequest, ListedFile, RepoAt, Requester } from './types.ts';
import { unlessGone } from './waiting.ts';
import type { Arrived, Weighed } from './weigh.ts';

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
  const whole = wanted !== undefined && parts.intakes.lied(repo, file);
  const part = whole ? undefined : wanted;
  const answer = (await here(parts, repo, file, part, who)) ?? (await elsewhere(parts, repo, file, part, who));
  return answer.kind === 'ready' && whole ? { ...answer, whole } : answer;
};

/** What is proven to be here is judged once, with its report: what refuses it without one refuses it then as well. */
const here = async (
  parts: Parts,
  repo: RepoAt,
  file: ListedFile,
  wanted: ByteRangeRequest | undefined,
  who: Requester,
): Promise<Answer | undefined> => {
  const sha256 = await parts.intakes.proven(repo, file);
  return sha256 === undefined ? undefined : stored(parts, repo, file, wanted, who, sha256);
};

/** What upstream has to be asked about or fetched from, unless what is known before any of its bytes refuses it. */
const elsewhere = async (
  parts: Parts,
  repo: RepoAt,
  file: ListedFile,
  wanted: ByteRangeRequest | undefined,
  who: Requester,
): Promise<Answer> => {
  const early = await parts.judge(repo, file, who, {});
  if (refuses(early.decision)) return enterRefusal(parts, early, repo, file.path, who);
  const known = await parts.intakes.known(repo, file);
  return (
    (known && (await stored(parts, repo, file, wanted, who, known.sha256))) ??
    (await sealed(parts, repo, file, resolveRange(wanted, file.size), who)) ??
    (await held(parts, repo, file, wanted, who))
  );
};

/** From the store, when the whole file is there. */
const stored = async (
  parts: Parts,
  repo: RepoAt,
  file: ListedFile,
  wanted: ByteRangeRequest | undefined,
  who: Requester,
  sha256: string,
): Promise<Answer | undefined> => {
  const blob = await parts.blobs.open(sha256);
  return blob === undefined ? undefined : judged(parts, repo, file, wanted, who, blob, 'cached');
};

/** Nothing leaves until the whole file is judged. The transfer goes on when the client leaves. */
const held = async (
  parts: Parts,
  repo: RepoAt,
  file: ListedFile,
  wanted: ByteRangeRequest | undefined,
  who: Requester,
): Promise<Answer> => {
  const { sha256 } = await unlessGone(parts.intakes.fetched(repo, file), who.signal);
  return judged(parts, repo, file, wanted, who, await openStored(parts.blobs, sha256), 'held');
};

/** Judges a blob that is open, and so stays, and takes its bytes for the answer. */
const judged = async (
  parts: Parts,
  repo: RepoAt,
  file: ListedFile,
  wanted: ByteRangeRequest | undefined,
  who: Requester,
  blob: BlobHandle,
  release: 'cached' | 'held',
): Promise<Answer> => {
  const { judge, scales } = parts;
  const { sha256 } = blob;
  try {
    const judging = scales.stored(sha256).then(async (report) => ({
      report,
      judgement: await judge(repo, file, who, { sha256, report }),
    }));
    const { report, judgement } = await unlessGone(judging, who.signal);
    const { decision, entry } = judgement;
    if (dropsRows(judgement)) {
      await blob.close();
      return serveDerived(parts, repo, file, { sha256, report, judgement }, wanted, who);
    }
    if (decision.action !== 'allow') {
      await blob.close();
      return enterRefusal(parts, judgement, repo, file.path, who);
    }
    const card = isCard(repo, file.path)
      ? await serveCard(parts, repo, file, sha256, judgement, wanted, who)
      : undefined;
    if (card !== undefined) {
      await blob.close();
      return card;
    }
    const range = resolveRange(wanted, file.size);
    const body = await releaseBlob(parts, blob, range, entry, serving(release, range, file.size));
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
  const { writer, arrived } = await intakes.begin(repo, file);
  await log.append({ ...provisional.entry, kind: 'artefact.decision' });
  let final: Judgement = provisional;
  // The last bytes wait for the verdict, not for the disk: a client that has the right bytes has them either way.
  const verdict = arrived.then(async ({ sha256 }) => {
    // Inspected even if it is not what its ranges had shown: from then on that report is what is known of it.
    const report = await scales.stored(sha256, writer);
    await checkRanges(writer, weighed);
    final = await judge(repo, file, who, { sha256, report });
    if (final.decision.action === 'allow') return;
    throw refusedLate(final.decision, who);
  });
  verdict.catch(() => undefined);
  const served = serving('sealed', range, file.size);
  const body = withhold(writer, range, verdict, timings);
  const tracked = entered(body, range, parts, () => ({ ...final.entry, served }));
  return { kind: 'ready', file: described(file), decision, body: tracked };
};

/** The ranges that the provisional report stood on must be ranges of the file that came. */
const checkRanges = async (arrived: Arrived, weighed: Weighed): Promise<void> => {
  for (const { offset, length, sha256 } of weighed.ranges ?? []) {
    if (sha256Of(await arrived.read(offset, length)) === sha256) continue;
    const message = 'upstream answers Range with other bytes than it sends';
    throw new WeighbridgeError('UPSTREAM_MISMATCH', message, { offset, length });
  }
};
