import type { AccessLog, Entry } from '../audit/types.ts';
import { WeighbridgeError } from '../errors.ts';
import type { Report } from '../formats/format.ts';
import { belonging } from '../identity/team.ts';
import type { BadDigest, KnownBadLookup } from '../policy/known-bad.ts';
import type { Lineage } from '../policy/lineage.ts';
import type { Decision, Facts, PolicySet } from '../policy/types.ts';
import type { Records } from '../store/types.ts';
import { factsDigest, joinFacts, withKnownBad } from './facts.ts';
import { artefactKey } from './intake.ts';
import { createMemo } from './memo.ts';
import { isOrderRule, type Restrain } from './orders/restrain.ts';
import { NO_RELEASES, type Releases } from './quarantine/releases.ts';
import type { ListedFile, RepoAt, Requester } from './types.ts';

/** A decision with everything an auditor needs to compute it again. */
export type Judgement = {
  readonly decision: Decision;
  readonly entry: Omit<Entry, 'kind' | 'served' | 'detail' | 'ms'>;
};

export type Judge = (
  repo: RepoAt,
  file: ListedFile,
  who: Requester,
  known: Known & { readonly provisional?: boolean },
) => Promise<Judgement>;

type Known = {
  readonly sha256?: string;
  readonly report?: Report;
  /** The index that lays out the bytes, where nothing recognises them. */
  readonly explainedBy?: Facts['explainedBy'];
  /** What it has from the base model of its repo. */
  readonly lineage?: Lineage;
};

/** Facts that are known to be stored, with what they were joined from: these and their findings, half a kilobyte each. */
const MAX_REMEMBERED = 20_000;

type Joined = {
  readonly file: ListedFile;
  readonly upstream: Facts['upstream'];
  /** Only to be compared: a plan is not kept in memory for that. */
  readonly report: WeakRef<Report> | undefined;
  readonly listed: BadDigest | undefined;
  readonly lineage: Lineage | undefined;
  readonly facts: Facts;
  readonly digest: string;
};

/** What stands beside the policies: the list of bad digests, orders of admins, and what was released. */
type Beside = {
  readonly knownBad: KnownBadLookup;
  readonly restrain?: Restrain | undefined;
  readonly releases?: Releases | undefined;
  /** A set that decides as well, and of which nothing is done. */
  readonly shadow?: (() => PolicySet) | undefined;
};

/** The decision is computed anew on every request: a policy edit takes effect at once. What it is computed from is not. */
export const createJudge = (
  records: Records,
  log: AccessLog,
  ruleset: string,
  policies: () => PolicySet,
  { knownBad, restrain = async (decision) => decision, releases = NO_RELEASES, shadow }: Beside,
): Judge => {
  const remembered = createMemo<Joined>(MAX_REMEMBERED, ({ facts }) => 4 + facts.findings.length);

  /** The facts, joined and stored once for as long as nothing that they are joined from changes. */
  const factsOf = async (repo: RepoAt, file: ListedFile, who: Requester, actor: string, known: Known) => {
    const { report, sha256 = '' } = known;
    const { name, version } = who.client;
    const explained = Object.values(known.explainedBy ?? {}).join(' ');
    const asked = [artefactKey(repo, file.path), actor, who.team, who.environment, who.teamFrom, name, version];
    const key = [...asked, sha256, report === undefined, explained].join('\n');
    const before = remembered.get(key);
    const listed = knownBad(known.sha256 ?? file.sha256 ?? '');
    if (before !== undefined && before.report?.deref() === report && before.listed === listed) {
      const same = before.file === file && before.upstream === repo.upstream && before.lineage === known.lineage;
      if (same) return before;
    }
    const facts = withKnownBad(joinFacts(repo, file, who, actor, known), listed);
    const joined = {
      file,
      upstream: repo.upstream,
      report: report && new WeakRef(report),
      listed,
      lineage: known.lineage,
      facts,
      digest: factsDigest(facts),
    };
    await records.add('facts', joined.digest, JSON.parse(JSON.stringify(facts)));
    remembered.set(key, joined);
    return joined;
  };

  /** The facts with what was released, which is looked up each time: it may end at any moment. */
  const released = async (joined: Joined): Promise<Pick<Joined, 'facts' | 'digest'>> => {
    const found = releases.covering(joined.facts);
    if (found.length === 0) return joined;
    const facts = { ...joined.facts, releases: found };
    const digest = factsDigest(facts);
    await records.add('facts', digest, JSON.parse(JSON.stringify(facts)));
    return { facts, digest };
  };

  const shadowing = async (facts: Facts): Promise<NonNullable<Entry['decision']>['shadow']> => {
    const set = shadow?.();
    if (set === undefined) return undefined;
    const { action, rule } = await restrain(set.decide(facts, Date.now()), facts, set);
    return { action, rule, policySet: set.digest };
  };

  return async (repo, file, who, known) => {
    const actor = log.pseudonym(who.identity);
    const { facts, digest } = await released(await factsOf(repo, file, who, actor, known));
    const set = policies();
    const evidence = { policySet: set.digest, ruleset, facts: digest };
    const decided = set.decide(facts, Date.now());
    const { waits } = decided;
    const decision = { ...(await restrain(decided, facts, set)), evidence };
    const shadowed = await shadowing(facts);
    const { action, rule, reason, waiver, audited } = decision;
    if (waits !== undefined) await releases.hold(facts, digest, set, waits);
    const { ecosystem, commit } = repo;
    return {
      decision,
      entry: {
        request: who.request,
        actor,
        ...belonging(who),
        client: who.client,
        artefact: {
          ecosystem,
          repo: repo.repo,
          commit,
          path: file.path,
          ...(facts.artefact.sha256 === '' ? {} : { sha256: facts.artefact.sha256 }),
          size: file.size,
          ...(facts.artefact.format === '' ? {} : { format: facts.artefact.format }),
        },
        decision: {
          action,
          rule,
          reason,
          ...(known.provisional ? { provisional: true } : {}),
          ...(waiver === undefined ? {} : { waiver }),
          ...(audited === undefined ? {} : { audited }),
          ...(shadowed === undefined ? {} : { shadow: shadowed }),
        },
        evidence,
      },
    };
  };
};

/** True when the decision lets nothing through. */
export const refuses = (decision: Decision): boolean => decision.action === 'deny' || decision.action === 'quarantine';

/** What a client prints: one line of ASCII, below 300 characters, with the rule, what to do and the request's id. */
export const refusalText = (decision: Decision, who: Requester, instead?: string): string => {
  const verb = decision.action === 'quarantine' ? 'holds' : 'refuses';
  const advice = instead === undefined ? '' : ` Ask for ${instead} instead.`;
  const end =
    decision.action === 'quarantine' && !isOrderRule(decision.rule)
      ? `${advice} To ask for it: ${REQUEST_COMMAND} ${who.request.id}`
      : `${advice} Request ${who.request.id}`;
  const reason = /[.!?]$/.test(decision.reason) ? decision.reason : `${decision.reason}.`;
  const text = `Weighbridge ${verb} ${reason}`.replace(/[^\x20-\x7e]/g, '?');
  return text.length + end.length <= MAX_TEXT ? text + end : `${text.slice(0, MAX_TEXT - end.length - 3)}...${end}`;
};

/** A refusal that comes when an answer has begun, or is about to. */
export const refusedLate = (decision: Decision, who: Requester): WeighbridgeError =>
  new WeighbridgeError('REFUSED', refusalText(decision, who), { action: decision.action, rule: decision.rule });

/** What whoever was refused can type. The same by HTTP: POST /api/v1/quarantine with the request's id. */
const REQUEST_COMMAND = 'weighbridge quarantine request';

/** Longest text that clients print in one line, in characters. */
const MAX_TEXT = 299;
