import type { Budget } from '../../bytes/limits.ts';
import { describeTemplates } from '../../content/jinja/constructs.ts';
import type { Json } from '../format.ts';
import { isList, isObject, type JsonObject, type JsonValue } from '../json/parse.ts';
import { declaredIn } from './declared.ts';
import { describeTokenizer, describeTokenizerConfig } from './tokenizer.ts';

/** Templates of one configuration: known ones have one, or one for tools beside it. */
const TEMPLATES = 8;
/** Tokens that cost one step. */
const TOKENS = 16;

/**
 * What a configuration says of a model's descent and of its words, small enough for the report: the model that it was
 * made from, its adapter, its tokenizer, its chat templates. The gateway compares two of them.
 */
export const describeLineage = (root: JsonValue, budget: Budget): { [key: string]: Json } => {
  if (!isObject(root)) return {};
  const tokenizer = describeTokenizer(root) ?? describeTokenizerConfig(root);
  if (tokenizer !== undefined) budget.spend('steps', sizeOf(root) / TOKENS);
  const templates = templatesIn(root.entries.get('chat_template'));
  return {
    ...declaredIn(root),
    ...(tokenizer === undefined ? {} : { tokenizer }),
    ...(templates.length === 0 ? {} : { template: { ...describeTemplates(templates) } }),
  };
};

const sizeOf = ({ entries }: JsonObject): number => {
  const model = entries.get('model');
  const vocab = isObject(model) ? model.entries.get('vocab') : undefined;
  return isObject(vocab) ? vocab.entries.size : isList(vocab) ? vocab.length : 0;
};

/** The texts of `chat_template`: one, a list of `{name, template}`, or an object from name to template. */
const templatesIn = (value: JsonValue | undefined): readonly string[] => {
  if (typeof value === 'string') return [value];
  const items = isList(value) ? value : isObject(value) ? [...value.entries.values()] : [];
  return items
    .slice(0, TEMPLATES)
    .map((item) => (isObject(item) ? item.entries.get('template') : item))
    .filter((item) => typeof item === 'string');
};
