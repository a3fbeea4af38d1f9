import type { AccessLog, Entry } from '../audit/types.ts';
import { isFault } from '../errors.ts';
import type { KnownBadLookup } from '../policy/known-bad.ts';
import type { Decision, PolicySet } from '../policy/types.ts';
import type { Sandbox } from '../sandbox/types.ts';
import type { Blobs, Records } from '../store/types.ts';
import { described, type Parts, refusal, subject, told } from './answers.ts';
import { describeCard } from './cards.ts';
import { type Conversion, createConversions } from './conversions.ts';
import { describeConverted, serveConverted } from './converted.ts';
import { createDerivations } from './derivations.ts';
import { describeDerived, dropsRows } from './derived.ts';
import { createExplainingJudge } from './explained.ts';
import { createIntakes, type Stored } from './intake.ts';
import { createJudge, refuses } from './judge.ts';
import { createLineages, createTracingJudge } from './lineage/lineage.ts';
import { isCard, mayHoldRows } from './names.ts';
import type { Restrain } from './orders/restrain.ts';
import { createRunning, type RunningBodies } from './orders/running.ts';
import { serveOriginal } from './originals.ts';
import type { Releases } from './quarantine/releases.ts';
import { faultCode } from './release.ts';
import type { Answer, Gateway, ListedFile, RepoAt, Requester } from './types.ts';
import { createViews } from './view.ts';
import { TIMINGS, type Timings, unlessGone, within } from './waiting.ts';
import { createScales } from './weigh.ts';

export type GatewayDeps = {
  readonly blobs: Blobs;
  readonly records: Records;
  readonly sandbox: Sandbox;
  readonly log: AccessLog;
  /** The policy set in force at this moment. */
  readonly policies: () => PolicySet;
  /** The admin's list of digests that are known to be bad. */
  readonly knownBad?: KnownBadLookup;
  /** What admins order beside the policies, and the downloads that they cut. */
  readonly orders?: { readonly restrain: Restrain; readonly running: RunningBodies };
  /** What people released, or rules let go of. */
  readonly releases?: Releases;
  /** A policy set that decides beside the one in force; its decisions are entered and not done. */
  readonly shadow?: (() => PolicySet) | undefined;
  readonly timings?: Partial<Timings>;
};

/** Joins the rooms: the one line that every request takes. `idle` resolves when no transfer is under way. */
export const createGateway = (deps: GatewayDeps): Gateway & { idle(): Promise<void> } => {
  const parts = assemble(deps);
  const { judge, intakes, log, scales, timings, views } = parts;

  const view: Gateway['view'] = async (repo, who, patience = timings.answerWithin) => {
    const seen = await views.view(repo, who, (work) => within(work, patience));
    const { files, refusal: refused, replaced } = seen;
    const detail = { files: files.length, replaced: replaced.size, refused: refused !== undefined };
    const entry: Entry = { kind: 'listing', ...subject(log, repo, '', who), detail };
    if (refused === undefined) log.enqueue(entry);
    else await log.append({ ...entry, ...told(refused.decision) });
    return seen;
  };

  const head: Gateway['head'] = async (repo, path, who) => {
    const answer = await headAnswer(repo, path, who).catch((error: unknown) => {
      const detail = { fault: faultCode(error) };
      log.enqueue({ kind: 'artefact.head', ...subject(log, repo, path, who), detail });
      throw error;
    });
    const decision = 'decision' in answer ? told(answer.decision) : {};
    log.enqueue({
      kind: 'artefact.head',
      ...subject(log, repo, path, who),
      ...decision,
      detail: { answer: answer.kind },
    });
    return answer;
  };

  const headAnswer = async (repo: RepoAt, path: string, who: Requester): Promise<Answer> => {
    const file = repo.files.get(path);
    if (file === undefined) {
      const answer = within(describeConverted(parts, repo, path, who), timings.answerWithin);
      return (await unlessGone(answer, who.signal)) ?? NOT_YET;
    }
    const early = await judge(repo, file, who, {});
    if (refuses(early.decision)) return refusal(views, repo, path, early.decision, who);
    const weighed = await unlessGone(within(scales.early(repo, file), timings.answerWithin), who.signal);
    if (weighed === undefined) return unweighed(repo, file, early.decision);
    const judging = judge(repo, file, who, { ...weighed, provisional: weighed.ranges !== undefined });
    const judged = await unlessGone(within(judging, timings.answerWithin), who.signal);
    if (judged === undefined) return unweighed(repo, file, early.decision);
    const { decision } = judged;
    if (dropsRows(judged) && weighed.sha256 !== undefined) {
      const dropping = { report: weighed.report, sha256: weighed.sha256, judgement: judged };
      const answer = within(describeDerived(parts, repo, file, dropping, who), timings.answerWithin);
      return (await unlessGone(answer, who.signal)) ?? NOT_YET;
    }
    if (decision.action !== 'allow') return refusal(views, repo, path, decision, who);
    if (isCard(repo, path) && weighed.sha256 !== undefined) {
      const answer = within(describeCard(parts, repo, file, weighed.sha256, judged, who), timings.answerWithin);
      return (await unlessGone(answer, who.signal)) ?? NOT_YET;
    }
    return { kind: 'ready', file: described(file), decision };
  };

  /** What upstream says of a file that is not judged yet; nothing of one that may be served without some of its rows. */
  const unweighed = (repo: RepoAt, file: ListedFile, decision: Decision): Answer =>
    deps.policies().dropsRows && (mayHoldRows(file.path) || isCard(repo, file.path))
      ? NOT_YET
      : { kind: 'ready', file: described(file), decision };

  const get: Gateway['get'] = async (repo, path, wanted, who) => {
    const began = performance.now();
    const file = repo.files.get(path);
    try {
      return await (file === undefined
        ? serveConverted(parts, repo, path, wanted, who)
        : serveOriginal(parts, repo, file, wanted, who));
    } catch (error) {
      const status = isFault(error) ? error.status : 500;
      log.enqueue({
        kind: 'artefact.outcome',
        ...subject(log, repo, path, who),
        served: { status, bytes: 0, release: 'none', complete: false },
        detail: { fault: faultCode(error) },
        ms: Math.round(performance.now() - began),
      });
      throw error;
    }
  };

  return { view, head, get, idle: intakes.idle };
};

const NOT_YET: Answer = { kind: 'wait', seconds: 2 };

const assemble = (deps: GatewayDeps): Parts => {
  const { blobs, records, sandbox, log, policies, knownBad = () => undefined, orders, releases, timings } = deps;
  const { shadow } = deps;
  const intakes = createIntakes(blobs, records);
  const mayDropRows = (): boolean => policies().dropsRows;
  const scales = createScales(blobs, records, sandbox, intakes, mayDropRows);
  const beside = { knownBad, restrain: orders?.restrain, releases, shadow };
  const alone = createJudge(records, log, sandbox.ruleset, policies, beside);
  const tracing = createTracingJudge(alone, createLineages(records, sandbox.ruleset));
  const judge = createExplainingJudge(tracing, { blobs, intakes, scales });
  const enter = async (
    repo: RepoAt,
    path: string,
    made: Stored,
    detail: NonNullable<Entry['detail']>,
  ): Promise<void> => {
    const { ecosystem, commit } = repo;
    await log.append({ kind: 'conversion', artefact: { ecosystem, repo: repo.repo, commit, path, ...made }, detail });
  };
  const enterConversion = (repo: RepoAt, { source, sourceSha256, etag }: Conversion, stored: Stored): Promise<void> =>
    enter(repo, source.path, stored, { source: sourceSha256, etag });
  const conversions = createConversions(blobs, records, intakes, scales, sandbox, enterConversion);
  const derivations = createDerivations(blobs, records, intakes, scales, sandbox, enter, mayDropRows);
  const views = createViews({ blobs, intakes, scales, conversions, derivations, judge, mayDropRows });
  const running = orders?.running ?? createRunning();
  return {
    blobs,
    log,
    running,
    judge,
    intakes,
    scales,
    conversions,
    derivations,
    views,
    timings: { ...TIMINGS, ...timings },
  };
};
