import { described, enterRefusal, type Parts, refusal } from './answers.ts';
import type { Derived } from './derivations.ts';
import { describe, release } from './derived.ts';
import type { Judge, Judgement } from './judge.ts';
import type { Answer, ByteRangeRequest, ListedFile, RepoAt, Requester, ViewFile } from './types.ts';
import { unlessGone } from './waiting.ts';
import type { Weighed } from './weigh.ts';

const NOTICE = 'the numbers of rows that this card declares were left out, since policies here drop flagged rows';

/** What is left of a card is weighed and judged as any file; where that allows it, the card's own judgement stands. */
const judged = async (
  judge: Judge,
  repo: RepoAt,
  { file, report }: Derived,
  card: Judgement,
  who: Requester,
): Promise<Judgement> => {
  const own = await judge(repo, file, who, { sha256: file.sha256, report });
  if (own.decision.action !== 'allow') return own;
  const { notice } = card.decision.obligations;
  const obligations = { ...card.decision.obligations, notice: notice === undefined ? NOTICE : `${notice}; ${NOTICE}` };
  return { ...card, decision: { ...card.decision, obligations } };
};

/** Answers a HEAD of a card that is allowed: of what is left of it, or as upstream has it when nothing is to be left out. */
export const describeCard = async (
  { derivations, judge, views }: Parts,
  repo: RepoAt,
  file: ListedFile,
  sha256: string,
  card: Judgement,
  who: Requester,
): Promise<Answer> => {
  const derived = await derivations.card(repo, file, sha256);
  if (derived === undefined) return { kind: 'ready', file: described(file), decision: card.decision };
  const { decision } = await judged(judge, repo, derived, card, who);
  if (decision.action !== 'allow') return refusal(views, repo, file.path, decision, who);
  return { kind: 'ready', file: describe(derived), decision };
};

/** Answers a GET of a card that is allowed; undefined when nothing is to be left out of it. */
export const serveCard = async (
  parts: Parts,
  repo: RepoAt,
  file: ListedFile,
  sha256: string,
  card: Judgement,
  wanted: ByteRangeRequest | undefined,
  who: Requester,
): Promise<Answer | undefined> => {
  const derived = await unlessGone(parts.derivations.card(repo, file, sha256), who.signal);
  if (derived === undefined) return undefined;
  const final = await judged(parts.judge, repo, derived, card, who);
  if (final.decision.action !== 'allow') return enterRefusal(parts, final, repo, file.path, who);
  return release(parts, derived, final, { cardLines: derived.dropped }, sha256, wanted);
};

/** What stands in a listing in the place of a card: undefined for the file itself, and for one that is refused. */
export const listCard = async (
  { derivations, judge }: Pick<Parts, 'derivations' | 'judge'>,
  repo: RepoAt,
  file: ListedFile,
  { report, sha256 }: Weighed,
  who: Requester,
): Promise<ViewFile | undefined> => {
  if (sha256 === undefined) return undefined;
  const card = await judge(repo, file, who, { report, sha256 });
  if (card.decision.action !== 'allow') return undefined;
  const derived = await derivations.card(repo, file, sha256);
  if (derived === undefined) return undefined;
  const { decision } = await judged(judge, repo, derived, card, who);
  return decision.action === 'allow' ? { ...describe(derived), decision } : undefined;
};
