import { enterRefusal, type Parts, refusal, serving } from './answers.ts';
import { briefly } from './brief.ts';
import type { Derived } from './derivations.ts';
import type { Judge, Judgement } from './judge.ts';
import { resolveRange } from './ranges.ts';
import { openStored, releaseBlob } from './release.ts';
import type { Answer, ByteRangeRequest, Described, ListedFile, RepoAt, Requester, ViewFile } from './types.ts';
import { unlessGone } from './waiting.ts';
import type { Weighed } from './weigh.ts';

/** Whether a decision asks for the dataset without its flagged rows. */
export const dropsRows = ({ decision }: Judgement): boolean =>
  decision.action === 'convert' && decision.obligations.rows === 'drop';

/** A dataset, weighed as a whole and judged: its rows are to be dropped. */
export type Dropping = { readonly sha256: string; readonly report: Weighed['report']; readonly judgement: Judgement };

/** How a derived dataset stands in listings and answers: in its own place. */
export const describe = ({ file }: Derived): Described => ({
  path: file.path,
  size: file.size,
  etag: file.oid,
  sha256: file.sha256,
  convertedFrom: file.path,
});

/**
 * The judgement under which a derived dataset is served, or refused: it is weighed as any file, and what is left of a set
 * without its flagged rows has none.
 */
const judged = async (
  judge: Judge,
  repo: RepoAt,
  derived: Derived,
  source: Judgement,
  who: Requester,
): Promise<Judgement> => {
  const { file, report } = derived;
  const own = await judge(repo, file, who, { sha256: file.sha256, report });
  const { decision, entry } = own;
  if (decision.action !== 'allow') return own;
  const flagged = report.rows?.flagged ?? 0;
  if (flagged === 0 && report.coverage.state === 'complete') return source;
  const why = flagged === 0 ? 'could not be inspected completely' : `has ${flagged} other rows that are flagged`;
  const reason = `${file.path}: what is left without its flagged rows ${why} (rule ${source.decision.rule})`;
  const held = { ...source.decision, action: 'quarantine' as const, reason, obligations: {} };
  return { decision: held, entry: { ...entry, decision: briefly(held) } };
};

/** Answers a HEAD of a dataset whose rows are to be dropped. */
export const describeDerived = async (
  { derivations, judge, views }: Parts,
  repo: RepoAt,
  file: ListedFile,
  { judgement, ...source }: Dropping,
  who: Requester,
): Promise<Answer> => {
  const derived = await derivations.of(repo, file, source);
  const { decision } = await judged(judge, repo, derived, judgement, who);
  if (decision.action !== 'convert') return refusal(views, repo, file.path, decision, who);
  return { kind: 'ready', file: describe(derived), decision };
};

/** Answers a GET of a dataset whose rows are to be dropped. */
export const serveDerived = async (
  parts: Parts,
  repo: RepoAt,
  file: ListedFile,
  { judgement, ...source }: Dropping,
  wanted: ByteRangeRequest | undefined,
  who: Requester,
): Promise<Answer> => {
  const { derivations, judge } = parts;
  const derived = await unlessGone(derivations.of(repo, file, source), who.signal);
  const final = await judged(judge, repo, derived, judgement, who);
  if (final.decision.action !== 'convert') return enterRefusal(parts, final, repo, file.path, who);
  return release(parts, derived, final, { rowsDropped: derived.dropped }, source.sha256, wanted);
};

/** Takes the bytes of what was derived for an answer, and enters them with what was left out. */
export const release = async (
  parts: Parts,
  derived: Derived,
  { decision, entry }: Judgement,
  left: Readonly<Record<string, number>>,
  sourceSha256: string,
  wanted: ByteRangeRequest | undefined,
): Promise<Answer> => {
  const { sha256, size } = derived.file;
  const range = resolveRange(wanted, size);
  const served = serving('transcoded', range, size, sourceSha256);
  const detailed = { ...entry, detail: { derived: sha256, ...left } };
  const body = await releaseBlob(parts, await openStored(parts.blobs, sha256), range, detailed, served);
  return { kind: 'ready', file: describe(derived), decision, body };
};

/** What stands in a listing in the place of this file: undefined for the file itself, and for one that is refused. */
export const listDerived = async (
  { derivations, judge }: Pick<Parts, 'derivations' | 'judge'>,
  repo: RepoAt,
  file: ListedFile,
  { ranges, report, sha256 }: Weighed,
  who: Requester,
): Promise<ViewFile | undefined> => {
  if (ranges !== undefined || sha256 === undefined) return undefined;
  const judgement = await judge(repo, file, who, { report, sha256 });
  if (!dropsRows(judgement)) return undefined;
  const derived = await derivations.of(repo, file, { sha256, report });
  const { decision } = await judged(judge, repo, derived, judgement, who);
  return decision.action === 'convert' ? { ...describe(derived), decision } : undefined;
};
