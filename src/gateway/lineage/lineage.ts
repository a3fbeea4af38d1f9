import type { Report } from '../../formats/format.ts';
import { type Lineage, NO_LINEAGE } from '../../policy/lineage.ts';
import type { Records } from '../../store/types.ts';
import { artefactKey } from '../intake.ts';
import type { Judge } from '../judge.ts';
import { createMemo } from '../memo.ts';
import type { ListedFile, RepoAt } from '../types.ts';
import { type Base, findBase, isShard, templateOf, tokenizerOf, weightsOf } from './base.ts';
import { type Declared, declaredBy, findDeclared, outranks } from './declared.ts';
import { createKept } from './kept.ts';
import { compareParts, partsOf } from './parts.ts';

/** How long (ms) what is known of a repo's base, and of the base, is told before it is looked up again. */
const FRESH = 30_000;
/** Repos whose declaration is remembered, base models, and lineages of files: a few kilobytes each. */
const REPOS = 10_000;
const BASES = 200;
const LINEAGES = 10_000;

export type Lineages = {
  /** What the file has from the declared base of its repo. The same object for as long as neither report changes. */
  of(repo: RepoAt, file: ListedFile, report: Report): Promise<Lineage>;
};

type Made = { readonly report: WeakRef<Report>; readonly declared: Declared; readonly base: Base | undefined };

/**
 * Finds what files have from the base models that their repos declare. Everything comes from the records of this gateway:
 * nothing is fetched, and a base that is not known here is not waited for.
 */
export const createLineages = (records: Records, ruleset: string, fresh = FRESH): Lineages => {
  const repos = createKept<Declared>(REPOS, fresh);
  const bases = createKept<Base>(BASES, fresh);
  const made = createMemo<Made & { readonly lineage: Lineage }>(LINEAGES);

  const declaredFor = async (repo: RepoAt, file: ListedFile, report: Report): Promise<Declared | undefined> => {
    const key = artefactKey(repo, '');
    const known = await repos.get(key, async (before) => {
      const found = await findDeclared(records, ruleset, repo);
      return JSON.stringify(found) === JSON.stringify(before) ? before : found;
    });
    const own = declaredBy(repo, file.path, report);
    if (own === undefined || (known !== undefined && !outranks(own, known))) return known;
    repos.set(key, own);
    return own;
  };

  const baseOf = async (ecosystem: string, names: readonly string[]): Promise<Base | undefined> => {
    for (const name of names) {
      const find = (before: Base | undefined) => findBase(records, ruleset, { ecosystem, name }, before);
      const base = await bases.get(`${ecosystem}/${name}`, find);
      if (base !== undefined) return base;
    }
    return undefined;
  };

  const of: Lineages['of'] = async (repo, file, report) => {
    if (!repo.repo.startsWith('models/')) return NO_LINEAGE;
    const declared = await declaredFor(repo, file, report);
    if (declared === undefined) return NO_LINEAGE;
    const base = isComparable(report) ? await baseOf(repo.ecosystem, declared.names) : undefined;
    const key = artefactKey(repo, file.path);
    const before = made.get(key);
    if (before?.report.deref() === report && before.base === base && before.declared === declared)
      return before.lineage;
    const lineage = compare(file.path, report, declared, base);
    made.set(key, { report: new WeakRef(report), declared, base, lineage });
    return lineage;
  };
  return { of };
};

const isComparable = ({ details }: Report): boolean =>
  details?.['weights'] !== undefined || details?.['tokenizer'] !== undefined || details?.['template'] !== undefined;

const UNKNOWN = 'the declared base model is not known here, so nothing was compared';

const compare = (path: string, report: Report, declared: Declared, base: Base | undefined): Lineage => {
  const { names, by, relation } = declared;
  const told = { ...NO_LINEAGE, base: base?.name ?? names[0] ?? '', declaredBy: by, relation };
  if (!isComparable(report)) return told;
  if (base === undefined) return { ...told, assessment: UNKNOWN };
  const theirs = {
    weights: weightsOf(base, path),
    tokenizer: tokenizerOf(base, path),
    template: templateOf(base, path),
  };
  const compared = compareParts(partsOf(report), theirs, !isShard(path));
  return { ...told, ...compared, commit: compared.confidence === 'none' ? '' : base.commit };
};

/** A judge whose facts say what a file has from the base model of its repo. */
export const createTracingJudge =
  (judge: Judge, lineages: Lineages): Judge =>
  async (repo, file, who, known) =>
    known.report === undefined
      ? judge(repo, file, who, known)
      : judge(repo, file, who, { ...known, lineage: await lineages.of(repo, file, known.report) });
