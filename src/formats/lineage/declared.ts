import { type Json, printable } from '../format.ts';
import { isList, isObject, type JsonObject, type JsonValue } from '../json/parse.ts';

/** A model on a hub: `org/name`, or a name alone as the oldest ones have. Paths of somebody's machine are none. */
const MODEL = /^(?:[A-Za-z0-9][\w.-]{0,95}\/)?[A-Za-z0-9][\w.-]{0,95}$/;
/** Models that one was merged from, and modules of an adapter, that are told. */
const NAMES = 16;
const MODULES = 64;
/** Characters of the YAML at the start of a model card that are looked at. */
const FRONT = 32_768;

/** Models that a file says this one was made from; empty when it says none. */
const named = (values: readonly unknown[]): readonly string[] =>
  [...new Set(values.filter((value) => typeof value === 'string' && MODEL.test(value)).map(String))].slice(0, NAMES);

const listOf = (value: JsonValue | undefined): readonly unknown[] => (isList(value) ? value : [value]);

const told = (names: readonly string[], relation: string): { [key: string]: Json } =>
  names.length === 0 ? {} : { baseModel: { names, relation } };

/** What `config.json` and `adapter_config.json` say of the model that theirs was made from, and of an adapter's make. */
export const declaredIn = (root: JsonObject): { [key: string]: Json } => {
  const { entries } = root;
  const base = entries.get('base_model_name_or_path');
  const adapted = typeof base === 'string' && (entries.has('peft_type') || entries.has('r'));
  if (adapted) return { ...told(named([base]), 'adapter'), adapter: adapterOf(root) };
  return told(named([...listOf(entries.get('base_model')), base, entries.get('_name_or_path')]), '');
};

/** What peft was told to make: kind, rank, scale and modules; the weights are in another file. */
const adapterOf = ({ entries }: JsonObject): Json => {
  const text = (key: string): string => {
    const value = entries.get(key);
    return typeof value === 'string' ? printable(value, 80) : '';
  };
  const number = (key: string): { [key: string]: Json } => {
    const value = entries.get(key);
    return typeof value === 'number' && Number.isFinite(value) ? { [key === 'r' ? 'rank' : 'alpha']: value } : {};
  };
  const texts = (key: string): readonly string[] =>
    listOf(entries.get(key))
      .filter((value) => typeof value === 'string')
      .slice(0, MODULES)
      .map((value) => printable(value, 80))
      .sort();
  const patterns = entries.get('rank_pattern');
  return {
    kind: text('peft_type'),
    ...number('r'),
    ...number('lora_alpha'),
    modules: texts('target_modules'),
    // These are replaced as a whole and not adapted: an embedding or a head here is as good as another model's.
    replaced: texts('modules_to_save'),
    rankByModule: isObject(patterns) ? patterns.entries.size : 0,
  };
};

/**
 * `base_model` of the front matter of a model card: a name, a list in either style. Only these two keys are read, line by
 * line: what another reader of YAML would see differently declares nothing.
 */
export const declaredInCard = (text: string): { [key: string]: Json } => {
  if (!/^---\r?\n/.test(text)) return {};
  const front = text.slice(0, FRONT).split(/\r?\n/);
  const end = front.indexOf('---', 1);
  const lines = front.slice(1, end < 0 ? front.length : end);
  const at = lines.findIndex((line) => line.startsWith('base_model:'));
  if (at < 0) return {};
  const inline = (lines[at] ?? '').slice('base_model:'.length).trim();
  const items = inline === '' ? itemsBelow(lines, at + 1) : inline.replace(/^\[|\]$/g, '').split(',');
  const relation = lines.find((line) => line.startsWith('base_model_relation:'))?.split(':')[1] ?? '';
  return told(named(items.map(plain)), printable(plain(relation), 40));
};

/** A scalar without its quotes and the comment behind it. */
const plain = (text: string): string =>
  text
    .trim()
    .replace(/\s#.*$/, '')
    .trim()
    .replace(/^(["'])(.*)\1$/, '$2');

const itemsBelow = (lines: readonly string[], from: number): readonly string[] => {
  const items: string[] = [];
  for (const line of lines.slice(from, from + NAMES)) {
    const item = /^\s{0,20}-\s(.{1,300})$/.exec(line)?.[1];
    if (item === undefined) break;
    items.push(item);
  }
  return items;
};
