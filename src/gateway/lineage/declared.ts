import type { Report } from '../../formats/format.ts';
import type { Records } from '../../store/types.ts';
import { artefactKey } from '../intake.ts';
import type { RepoAt } from '../types.ts';
import { declaredIn } from './reported.ts';

/** The model that a repo is said to be made from. */
export type Declared = { readonly names: readonly string[]; readonly by: string; readonly relation: string };

/**
 * Where a repo declares its base, what speaks for the weights themselves first: the adapter's configuration is what loaders
 * go by; `config.json` only tells from which folder or repo somebody loaded a model before it was saved.
 */
const PLACES = ['adapter_config.json', 'README.md', 'tags', 'config.json'];

/** Tags of a repo: `base_model:org/name`, and `base_model:finetune:org/name` for the relation. */
const TAG = /^base_model:(?:(adapter|finetune|quantized|merge):)?([^:]{1,200})$/;
const MODEL = /^(?:[A-Za-z0-9][\w.-]{0,95}\/)?[A-Za-z0-9][\w.-]{0,95}$/;
/** Models of one merge. */
const NAMES = 16;

/** Whether one declaration counts for more than another. */
export const outranks = (one: Declared, other: Declared): boolean => PLACES.indexOf(one.by) < PLACES.indexOf(other.by);

/** What a file of a repo declares, when it is one of those that count; a repo is not its own base. */
export const declaredBy = (repo: RepoAt, path: string, report: Report): Declared | undefined => {
  if (!PLACES.includes(path)) return undefined;
  const declared = declaredIn(report);
  const names = declared?.names.filter((name) => `models/${name}` !== repo.repo) ?? [];
  return declared === undefined || names.length === 0 ? undefined : { names, by: path, relation: declared.relation };
};

/** What the Hub's tags say, which it takes from the model card. */
const declaredByTags = ({ repo, upstream: { tags } }: RepoAt): Declared | undefined => {
  const names = new Set<string>();
  let relation = '';
  for (const tag of tags) {
    const [, kind, name = ''] = TAG.exec(tag) ?? [];
    if (!MODEL.test(name) || `models/${name}` === repo || names.size >= NAMES) continue;
    names.add(name);
    relation ||= kind ?? '';
  }
  return names.size === 0 ? undefined : { names: [...names], by: 'tags', relation };
};

/** What a repo declares, as far as its files were fetched and inspected here, or its tags say. */
export const findDeclared = async (records: Records, ruleset: string, repo: RepoAt): Promise<Declared | undefined> => {
  for (const path of PLACES) {
    const found = path === 'tags' ? declaredByTags(repo) : await inFile(records, ruleset, repo, path);
    if (found !== undefined) return found;
  }
  return undefined;
};

const inFile = async (records: Records, ruleset: string, repo: RepoAt, path: string): Promise<Declared | undefined> => {
  const sha256 = repo.files.has(path) ? (await records.get('artefact', artefactKey(repo, path)))?.sha256 : undefined;
  const report = sha256 === undefined ? undefined : await records.get('report', `${ruleset}/${sha256}`);
  return report && declaredBy(repo, path, report);
};
