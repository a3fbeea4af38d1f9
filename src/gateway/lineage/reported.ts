import type { Json, Report } from '../../formats/format.ts';
import type { Structure } from '../compare.ts';

/** The details of a report: as small as the sandbox lets through, and otherwise whatever a file made its parser say. */
export type Told = Pick<Report, 'details'>;

type Fields = { readonly [key: string]: Json };

/** A sampled tensor as a report repeats it. */
export type Sample = {
  readonly name: string;
  readonly dtype: string;
  readonly elements: number;
  readonly digest: string;
  readonly numbers: readonly (number | null)[];
};

export type Weights = Structure & {
  readonly samples: readonly Sample[];
  /** Its tensors are laid over those of another model and have no counterparts there. */
  readonly adapter: boolean;
};

/** A tokenizer as a report describes it: digests by what they are of, and the lines of added tokens. */
export type Tokenizer = {
  readonly digests: ReadonlyMap<string, string>;
  readonly vocabulary: number;
  readonly added: readonly string[];
  /** True when all of the added tokens are listed. */
  readonly all: boolean;
};

export type Template = { readonly digest: string; readonly constructs: readonly string[] };

export type DeclaredBase = { readonly names: readonly string[]; readonly relation: string };

const fieldsOf = (value: Json | undefined): Fields | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);
const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
const countOf = (value: Json | undefined): number => (typeof value === 'number' ? value : 0);
const textsOf = (value: Json | undefined): readonly string[] =>
  listOf(value).filter((item) => typeof item === 'string');

const partOf = (report: Told, key: string): Fields | undefined => fieldsOf(report.details?.[key]);

/** The structure and samples that a report tells of weights; a report of another file tells none. */
export const weightsIn = (report: Told): Weights | undefined => {
  const weights = partOf(report, 'weights');
  if (weights === undefined || typeof weights['fingerprint'] !== 'string') return undefined;
  const groups = listOf(weights['groups']).flatMap((item) => {
    const group = fieldsOf(item);
    return group === undefined ? [] : [{ tensors: textOf(group['tensors']), count: countOf(group['count']) }];
  });
  return {
    fingerprint: weights['fingerprint'],
    tensors: countOf(weights['tensors']),
    groups,
    moreGroups: countOf(weights['moreGroups']),
    samples: listOf(weights['samples']).flatMap(sampleOf),
    adapter: weights['adapter'] !== undefined,
  };
};

const sampleOf = (value: Json): readonly Sample[] => {
  const sample = fieldsOf(value);
  if (sample === undefined) return [];
  return [
    {
      name: textOf(sample['name']),
      dtype: textOf(sample['dtype']),
      elements: countOf(sample['elements']),
      digest: textOf(sample['digest']),
      numbers: listOf(sample['numbers']).map((number) => (typeof number === 'number' ? number : null)),
    },
  ];
};

/** What a report tells of a tokenizer, of either of its two files. */
export const tokenizerIn = (report: Told): Tokenizer | undefined => {
  const tokenizer = partOf(report, 'tokenizer');
  if (tokenizer === undefined) return undefined;
  const vocabulary = fieldsOf(tokenizer['vocabulary']) ?? {};
  const added = fieldsOf(tokenizer['added']) ?? {};
  const digests = new Map<string, string>([
    ['kind', textOf(tokenizer['kind'])],
    ['vocabulary', textOf(vocabulary['tokens'])],
    ['remapped', textOf(vocabulary['numbered'])],
    ['merges', textOf(fieldsOf(tokenizer['merges'])?.['digest'])],
    ['added_tokens', textOf(added['digest'])],
    ['roles', JSON.stringify(Object.entries(fieldsOf(tokenizer['roles']) ?? {}).sort())],
  ]);
  for (const [step, digest] of Object.entries(fieldsOf(tokenizer['steps']) ?? {})) digests.set(step, textOf(digest));
  const listed = textsOf(added['listed']);
  return {
    digests,
    vocabulary: countOf(vocabulary['count']),
    added: listed,
    all: listed.length === countOf(added['count']),
  };
};

/** What a report tells of chat templates. */
export const templateIn = (report: Told): Template | undefined => {
  const template = partOf(report, 'template');
  if (template === undefined) return undefined;
  return { digest: textOf(template['digest']), constructs: textsOf(template['constructs']) };
};

/** The model that a file says its repo was made from. */
export const declaredIn = (report: Told): DeclaredBase | undefined => {
  const base = partOf(report, 'baseModel');
  const names = textsOf(base?.['names']);
  return names.length === 0 ? undefined : { names, relation: textOf(base?.['relation']) };
};
