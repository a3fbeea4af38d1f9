import type { AccessLog, Entry } from '../audit/types.ts';
import type { Report } from '../formats/format.ts';
import type { Decision, PolicySet } from '../policy/types.ts';
import type { Records } from '../store/types.ts';
import { factsDigest, joinFacts } from './facts.ts';
import { createMemo } from './memo.ts';
import type { ListedFile, RepoAt, Requester } from './types.ts';

/** A decision with everything an auditor needs to compute it again. */
export type Judgement = {
  readonly decision: Decision;
  readonly entry: Pick<Entry, 'request' | 'actor' | 'client' | 'artefact' | 'decision' | 'evidence'>;
};

export type Judge = (
  repo: RepoAt,
  file: ListedFile,
  who: Requester,
  known: { readonly sha256?: string; readonly report?: Report; readonly provisional?: boolean },
) => Promise<Judgement>;

/** Digests of facts that are known to be stored. */
const MAX_REMEMBERED = 50_000;

/** The decision is computed anew on every request: a policy edit takes effect at once. */
export const createJudge = (records: Records, log: AccessLog, ruleset: string, policies: () => PolicySet): Judge => {
  const remembered = createMemo<true>(MAX_REMEMBERED);

  const remember = async (digest: string, facts: object): Promise<void> => {
    if (remembered.get(digest) !== undefined) return;
    await records.add('facts', digest, JSON.parse(JSON.stringify(facts)));
    remembered.set(digest, true);
  };

  return async (repo, file, who, known) => {
    const actor = log.pseudonym(who.identity);
    const facts = joinFacts(repo, file, who, actor, known);
    const digest = factsDigest(facts);
    await remember(digest, facts);
    const set = policies();
    const decision = set.decide(facts, Date.now());
    const { action, rule, reason, waiver, audited } = decision;
    const { ecosystem, commit } = repo;
    return {
      decision,
      entry: {
        request: who.request,
        actor,
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
        },
        evidence: { policySet: set.digest, ruleset, facts: digest },
      },
    };
  };
};

/** True when the decision lets nothing through. */
export const refuses = (decision: Decision): boolean => decision.action === 'deny' || decision.action === 'quarantine';

/** What a client prints: one line of ASCII, at most 300 characters, with the rule and whom to ask. */
export const refusalText = (decision: Decision, path: string, who: Requester): string => {
  const verb = decision.action === 'quarantine' ? 'holds' : 'refuses';
  const text = `Weighbridge ${verb} ${path}: ${decision.reason} (rule ${decision.rule}; request ${who.request.id})`;
  const line = text.replace(/[^\x20-\x7e]/g, '?');
  if (line.length <= 300) return line;
  const end = ` (rule ${decision.rule}; request ${who.request.id})`;
  return `${line.slice(0, 300 - end.length - 3)}...${end}`;
};
