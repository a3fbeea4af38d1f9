import type { Report } from '../../formats/format.ts';
import type { Records } from '../../store/types.ts';
import {
  type Template,
  type Tokenizer,
  type Told,
  templateIn,
  tokenizerIn,
  type Weights,
  weightsIn,
} from './reported.ts';
import { together } from './tensors.ts';

/** What the records hold of a base model: reports of the files of one commit, each by its path. */
export type Base = {
  readonly name: string;
  readonly commit: string;
  readonly reports: ReadonlyMap<string, Known>;
};

type Known = { readonly sha256: string; readonly report: Told };

/** Artefacts of a base model that are looked at, over all commits that were fetched here. */
const ARTEFACTS = 2000;
/** Reports of one commit that are read: the largest models have some two hundred shards. */
const REPORTS = 300;
/** What can be compared: weights, tokenizers, templates. */
const COMPARABLE = /\.(?:safetensors|bin|gguf|jinja)$|(?:^|\/)(?:tokenizer|tokenizer_config|chat_template)\.json$/;

/**
 * What is known here of a model, at the commit that was fetched last; undefined when none of its files was. Only what was
 * fetched and inspected under this ruleset counts: nothing is asked for upstream. Resolves to `before` where nothing is
 * new.
 */
export const findBase = async (
  records: Records,
  ruleset: string,
  place: { readonly ecosystem: string; readonly name: string },
  before: Base | undefined,
): Promise<Base | undefined> => {
  const [commit, files] = await lastFetched(records, `${place.ecosystem}/models/${place.name}/`);
  const earlier = before?.commit === commit ? before.reports : undefined;
  const reports = new Map<string, Known>();
  let news = 0;
  for (const { path, sha256 } of files.slice(0, REPORTS)) {
    const same = earlier?.get(path);
    if (same?.sha256 === sha256) reports.set(path, same);
    else {
      const report = await records.get('report', `${ruleset}/${sha256}`);
      if (report === undefined) continue;
      reports.set(path, { sha256, report: slim(report) });
      news += 1;
    }
  }
  if (reports.size === 0) return undefined;
  return news === 0 && reports.size === earlier?.size ? before : { name: place.name, commit, reports };
};

type Fetched = { readonly path: string; readonly sha256: string };

/** The files that can be compared of the commit of which one was fetched last. */
const lastFetched = async (records: Records, prefix: string): Promise<readonly [string, readonly Fetched[]]> => {
  const commits = new Map<string, { newest: number; readonly files: Fetched[] }>();
  for (const { key, value } of await records.list('artefact', prefix, ARTEFACTS)) {
    const [, commit = '', path = ''] = /^([0-9a-f]{40})\/(.+)$/.exec(key.slice(prefix.length)) ?? [];
    if (value.sha256 === undefined || !COMPARABLE.test(path)) continue;
    const known = commits.get(commit) ?? { newest: 0, files: [] };
    known.newest = Math.max(known.newest, value.fetchedAt ?? 0);
    known.files.push({ path, sha256: value.sha256 });
    commits.set(commit, known);
  }
  const [last] = [...commits].sort(([, a], [, b]) => b.newest - a.newest);
  return last === undefined ? ['', []] : [last[0], last[1].files];
};

/** The plan of a checkpoint is large, and nothing here looks at it. */
const slim = ({ details }: Report): Told => (details === undefined ? {} : { details });

/** A path without the number of its shard and its type: what is one model in two repos. */
const stem = (path: string): string =>
  path
    .replace(/\.(?:safetensors|bin)$/, '')
    .replace(/-\d{5}-of-\d{5}$/, '')
    .replace(/(^|\/)pytorch_model/, '$1model');

/** True for one shard of several. */
export const isShard = (path: string): boolean => /-\d{5}-of-\d{5}\.\w+$/.test(path);

/** The weights of the base that a file is to be compared with: those of the same name, all of its shards together. */
export const weightsOf = ({ reports }: Base, path: string): Weights | undefined => {
  const alike = [...reports].filter(([other]) => stem(other) === stem(path));
  // Of a repo that has both, the checkpoint says the same with less.
  const preferred = alike.filter(([other]) => other.endsWith('.safetensors'));
  const files = (preferred.length > 0 ? preferred : alike).flatMap(([, { report }]) => weightsIn(report) ?? []);
  return together(files);
};

/** The tokenizer of the base in the file of the same path. */
export const tokenizerOf = ({ reports }: Base, path: string): Tokenizer | undefined => {
  const known = reports.get(path);
  return known && tokenizerIn(known.report);
};

/** The template of the base: of the same path, else wherever it has one at its root. */
export const templateOf = ({ reports }: Base, path: string): Template | undefined => {
  const places = [path, 'chat_template.jinja', 'tokenizer_config.json', 'chat_template.json'];
  for (const place of places) {
    const known = reports.get(place);
    const template = known && templateIn(known.report);
    if (template !== undefined) return template;
  }
  return undefined;
};
