import { NO_TEMPLATE, NO_TOKENIZER, type TemplateLineage, type TokenizerLineage } from '../../policy/lineage.ts';
import type { Template, Tokenizer } from './reported.ts';

/** Tokens and constructs that are told of each kind, and characters of one. */
const TOLD = 64;
const LENGTH = 200;

const without = (these: readonly string[], those: readonly string[]): readonly string[] => {
  const known = new Set(those);
  return these
    .filter((item) => !known.has(item))
    .slice(0, TOLD)
    .map((item) => item.slice(0, LENGTH));
};

/** How a tokenizer differs from its base's. A remapped vocabulary has the same tokens under other numbers. */
export const compareTokenizers = (own: Tokenizer, base: Tokenizer): TokenizerLineage => {
  const changed = [...new Set([...own.digests.keys(), ...base.digests.keys()])].filter(
    (key) => (own.digests.get(key) ?? '') !== (base.digests.get(key) ?? ''),
  );
  const listed = own.all && base.all;
  return {
    ...NO_TOKENIZER,
    compared: true,
    // Numbers of other tokens are other numbers: that says nothing more.
    changed: changed.filter((key) => key !== 'remapped' || !changed.includes('vocabulary')).sort(),
    vocabulary: own.vocabulary,
    baseVocabulary: base.vocabulary,
    added: listed ? without(own.added, base.added) : [],
    removed: listed ? without(base.added, own.added) : [],
  };
};

/** How a chat template differs from its base's. */
export const compareTemplates = (own: Template, base: Template): TemplateLineage =>
  own.digest === base.digest
    ? { ...NO_TEMPLATE, compared: true }
    : {
        compared: true,
        changed: true,
        added: without(own.constructs, base.constructs),
        removed: without(base.constructs, own.constructs),
      };
