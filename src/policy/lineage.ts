/** How the tensors of a file differ from those of the declared base model. */
export type TensorLineage = {
  readonly compared: boolean;
  /** Tensors of this file, and those of them that the base has with the same name, type and shape. */
  readonly total: number;
  readonly same: number;
  /** Same name, another type or another shape; names that only this file, or only the base has. */
  readonly retyped: number;
  readonly reshaped: number;
  readonly added: number;
  /** -1 where this file is one shard of several: what it lacks may be in another. */
  readonly missing: number;
  /** Tensors of which both reports hold sampled values, and those of them that differ. */
  readonly sampled: number;
  readonly changed: number;
  /** Parts of the network with changed samples: `embedding`, `attention`, `mlp`, `norm`, `head`, `other`. */
  readonly parts: readonly string[];
  /** How far changed samples are from the base's, relative to those: 0.001 to 0.1 after training, 1 and more for another model. */
  readonly distance: number;
};

/** How a tokenizer differs from the base's. */
export type TokenizerLineage = {
  readonly compared: boolean;
  /** What differs: `kind`, `vocabulary`, `remapped`, `merges`, `added_tokens`, `roles`, `normalizer`, `pre_tokenizer`, ... */
  readonly changed: readonly string[];
  /** Tokens of the vocabulary here and there. */
  readonly vocabulary: number;
  readonly baseVocabulary: number;
  /** Added tokens that only this file, or only the base lists: number, text, `special` or `plain`. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
};

/** How a chat template differs from the base's. */
export type TemplateLineage = {
  readonly compared: boolean;
  readonly changed: boolean;
  /** Constructs that only this template, or only the base's has: `compares content with "..."`, `text "..."`, `filter x`. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
};

/**
 * What a file has from the model that it is said to be made from, computed from two reports. A comparison can prove that
 * values were taken over; it cannot prove that what was changed means no harm.
 */
export type Lineage = {
  /** Name of the declared base model; empty when none is declared, or not known yet. */
  readonly base: string;
  /** Where it is declared: `README.md`, `config.json`, `adapter_config.json`, `tags`. */
  readonly declaredBy: string;
  /** `finetune`, `adapter`, `quantized`, `merge`, as declared. */
  readonly relation: string;
  /** Commit of the base that was compared with; empty when nothing could be compared. */
  readonly commit: string;
  /** What a comparison rests on: `none`, `structure`, `sampled values`, `digests`. */
  readonly confidence: string;
  /** The same in a sentence. */
  readonly assessment: string;
  readonly tensors: TensorLineage;
  readonly tokenizer: TokenizerLineage;
  readonly template: TemplateLineage;
};

export const NO_TENSORS: TensorLineage = {
  compared: false,
  total: 0,
  same: 0,
  retyped: 0,
  reshaped: 0,
  added: 0,
  missing: 0,
  sampled: 0,
  changed: 0,
  parts: [],
  distance: 0,
};
export const NO_TOKENIZER: TokenizerLineage = {
  compared: false,
  changed: [],
  vocabulary: 0,
  baseVocabulary: 0,
  added: [],
  removed: [],
};
export const NO_TEMPLATE: TemplateLineage = { compared: false, changed: false, added: [], removed: [] };

/** Of a file of which no base is known. */
export const NO_LINEAGE: Lineage = {
  base: '',
  declaredBy: '',
  relation: '',
  commit: '',
  confidence: 'none',
  assessment: '',
  tensors: NO_TENSORS,
  tokenizer: NO_TOKENIZER,
  template: NO_TEMPLATE,
};

/** The types of the fields for conditions; those that are objects are registered under these names. */
export const LINEAGE_TYPES = {
  TensorLineage: {
    compared: 'bool',
    total: 'int',
    same: 'int',
    retyped: 'int',
    reshaped: 'int',
    added: 'int',
    missing: 'int',
    sampled: 'int',
    changed: 'int',
    parts: 'list<string>',
    distance: 'double',
  },
  TokenizerLineage: {
    compared: 'bool',
    changed: 'list<string>',
    vocabulary: 'int',
    baseVocabulary: 'int',
    added: 'list<string>',
    removed: 'list<string>',
  },
  TemplateLineage: { compared: 'bool', changed: 'bool', added: 'list<string>', removed: 'list<string>' },
} as const;

export const LINEAGE = {
  base: 'string',
  declaredBy: 'string',
  relation: 'string',
  commit: 'string',
  confidence: 'string',
  assessment: 'string',
  tensors: 'TensorLineage',
  tokenizer: 'TokenizerLineage',
  template: 'TemplateLineage',
} as const;

/** Nearly all files have the same one: that of nothing. */
const known = new WeakMap<Lineage, Readonly<Record<string, unknown>>>();

/** The values as conditions want them: counts as bigint. */
export const lineageValues = (lineage: Lineage): Readonly<Record<string, unknown>> => {
  const before = known.get(lineage);
  if (before !== undefined) return before;
  const { tensors, tokenizer, ...rest } = lineage;
  const values = {
    ...rest,
    tensors: counted(tensors, LINEAGE_TYPES.TensorLineage),
    tokenizer: counted(tokenizer, LINEAGE_TYPES.TokenizerLineage),
  };
  known.set(lineage, values);
  return values;
};

const counted = (values: Readonly<Record<string, unknown>>, types: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      types[key] === 'int' && typeof value === 'number' ? BigInt(Math.trunc(value)) : value,
    ]),
  );
