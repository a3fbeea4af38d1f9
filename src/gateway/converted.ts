import { enterRefusal, type Parts, refusal, serving, subject } from './answers.ts';
import { briefly } from './brief.ts';
import type { Converting } from './conversions.ts';
import { type Judgement, refusedLate } from './judge.ts';
import { resolveRange } from './ranges.ts';
import { entered, openStored, releaseBlob, withhold } from './release.ts';
import type { Answer, ByteRange, ByteRangeRequest, Described, ListedFile, RepoAt, Requester } from './types.ts';
import { type Candidate, describeConversion, describeIndex, type MintedIndex } from './view.ts';
import { unlessGone } from './waiting.ts';

type Converted = Extract<Candidate, { state: 'converted' }>;

/** What stands under a path that upstream does not have: a minted index, or what became of the checkpoint behind it. */
type Found = { readonly minted: MintedIndex } | { readonly source: ListedFile; readonly candidate: Candidate };

const find = async ({ views }: Parts, repo: RepoAt, path: string, who: Requester): Promise<Found | undefined> => {
  const minted = await views.index(repo, path, who);
  if (minted !== undefined) return { minted };
  const source = views.sourceOf(repo, path) ?? (await views.refusedShard(repo, path, who));
  const candidate = source === undefined ? undefined : await views.candidate(repo, source, who);
  return source === undefined || candidate === undefined ? undefined : { source, candidate };
};

/** Answers a HEAD of a path that upstream does not have: a converted file, a minted index, or nothing. */
export const describeConverted = async (parts: Parts, repo: RepoAt, path: string, who: Requester): Promise<Answer> => {
  const found = await find(parts, repo, path, who);
  if (found === undefined) return { kind: 'missing' };
  if ('minted' in found) {
    return { kind: 'ready', file: describeIndex(found.minted), decision: found.minted.decision };
  }
  const { source, candidate } = found;
  if (candidate.state === 'superseded') return { kind: 'missing' };
  const { decision } = candidate;
  if (candidate.state === 'converted') {
    return { kind: 'ready', file: await describeConversion(candidate, parts.conversions), decision };
  }
  return decision.action === 'allow' ? { kind: 'missing' } : refusal(parts.views, repo, source.path, decision, who);
};

/** Answers a GET of a path that upstream does not have. */
export const serveConverted = async (
  parts: Parts,
  repo: RepoAt,
  path: string,
  wanted: ByteRangeRequest | undefined,
  who: Requester,
): Promise<Answer> => {
  const { judge, scales } = parts;
  const found = await unlessGone(find(parts, repo, path, who), who.signal);
  if (found === undefined) return { kind: 'missing' };
  if ('minted' in found) return serveIndex(parts, repo, found.minted, wanted, who);
  const { source, candidate } = found;
  if (candidate.state === 'superseded') return { kind: 'missing' };
  if (candidate.state === 'converted') return transcoded(parts, repo, source, candidate, wanted, who);
  if (candidate.decision.action === 'allow') return { kind: 'missing' };
  return enterRefusal(parts, await judge(repo, source, who, await scales.early(repo, source)), repo, source.path, who);
};

/** The conversion, as it is written or once it is proven. */
const transcoded = async (
  parts: Parts,
  repo: RepoAt,
  source: ListedFile,
  candidate: Converted,
  wanted: ByteRangeRequest | undefined,
  who: Requester,
): Promise<Answer> => {
  const { conversions, intakes, judge } = parts;
  const { conversion } = candidate;
  const file = await describeConversion(candidate, conversions);
  const lied = intakes.lied(repo, source);
  const whole = wanted !== undefined && lied;
  const range = resolveRange(whole ? undefined : wanted, file.size);
  const { sourceSha256: sha256, report } = conversion;
  const provisional = await judge(repo, source, who, { sha256, report, provisional: true });
  const { action, obligations } = provisional.decision;
  if (action !== 'convert') return enterRefusal(parts, provisional, repo, source.path, who);
  const converting = await conversions.begin(repo, conversion);
  const answering = { file, range, source, sha256, converting };
  // A range before the end, a client that does not notice a short body, or one that was cut off once waits for the whole verdict.
  const streams = who.checksLength && range.end === file.size && !lied && obligations.release !== 'hold';
  const answer =
    (streams ? await streamed(parts, repo, answering, provisional, who) : undefined) ??
    (await proven(parts, repo, answering, who));
  return answer.kind === 'ready' && whole ? { ...answer, whole } : answer;
};

type Answering = {
  readonly file: Described;
  readonly range: ByteRange;
  readonly source: ListedFile;
  readonly sha256: string;
  readonly converting: Converting;
};

/** As it is written: the last bytes leave when the source's digest and full report agree. Undefined when it is stored already. */
const streamed = async (
  parts: Parts,
  repo: RepoAt,
  { file, range, source, sha256, converting: { proven: weighed, writer } }: Answering,
  provisional: Judgement,
  who: Requester,
): Promise<Answer | undefined> => {
  const { judge, log, timings } = parts;
  if (writer === undefined) return undefined;
  await log.append({ ...provisional.entry, kind: 'artefact.decision' });
  let final: Judgement = provisional;
  const verdict = weighed.then(async (report) => {
    final = await judge(repo, source, who, { sha256, report });
    if (final.decision.action !== 'convert') throw refusedLate(final.decision, who);
  });
  verdict.catch(() => undefined);
  const served = serving('transcoded', range, file.size, sha256);
  const body = withhold(writer, range, verdict, timings);
  const tracked = entered(body, range, parts, () => ({ ...final.entry, served }));
  return { kind: 'ready', file, decision: provisional.decision, body: tracked };
};

/** Once source and output are proven and judged. */
const proven = async (
  parts: Parts,
  repo: RepoAt,
  { file, range, source, sha256, converting }: Answering,
  who: Requester,
): Promise<Answer> => {
  const { blobs, judge } = parts;
  const written = await unlessGone(converting.done, who.signal);
  const judgement = await judge(repo, source, who, { sha256, report: written.report });
  const { decision, entry } = judgement;
  if (decision.action !== 'convert') return enterRefusal(parts, judgement, repo, source.path, who);
  const served = serving('transcoded', range, file.size, sha256);
  const body = await releaseBlob(parts, await openStored(blobs, written.sha256), range, entry, served);
  return { kind: 'ready', file, decision, body };
};

const serveIndex = async (
  parts: Parts,
  repo: RepoAt,
  minted: MintedIndex,
  wanted: ByteRangeRequest | undefined,
  who: Requester,
): Promise<Answer> => {
  const { log } = parts;
  const { bytes, decision, path } = minted;
  const range = resolveRange(wanted, bytes.length);
  const entry = { ...subject(log, repo, path, who), decision: briefly(decision) };
  await log.append({ ...entry, kind: 'artefact.decision' });
  const served = serving('transcoded', range, bytes.length);
  const body = entered(once(bytes.subarray(range.start, range.end)), range, parts, () => ({ ...entry, served }));
  return { kind: 'ready', file: describeIndex(minted), decision, body };
};

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
