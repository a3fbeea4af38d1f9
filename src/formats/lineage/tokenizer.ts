import { enter, enterText, lanes, shown, textDigest } from '../digest.ts';
import { type Json, printable } from '../format.ts';
import { isList, isObject, type JsonObject, type JsonValue, scalarText } from '../json/parse.ts';

/** Added tokens that are listed one by one; all of them are in the digest. */
const ADDED = 400;
/** Characters of a token. */
const TOKEN = 60;
/** Characters of a normaliser or another step as JSON; the largest hold a compiled table of some 400 KB. */
const STEP = 4_000_000;

/** Steps of the tokenizers library that change what a text is before and after its vocabulary is used. */
const STEPS = ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder', 'truncation', 'padding'] as const;

/** Facts of `tokenizer.json` (the tokenizers library), for comparisons; undefined for any other document. */
export const describeTokenizer = (root: JsonObject): Json | undefined => {
  const { entries } = root;
  const model = entries.get('model');
  if (!isObject(model) || !entries.has('added_tokens') || !entries.has('pre_tokenizer')) return undefined;
  const steps = STEPS.map((key) => [key, digestOf(entries.get(key))] as const);
  return {
    kind: textOf(model.entries.get('type')),
    ...vocabularyOf(model.entries.get('vocab')),
    merges: digestOfMerges(model.entries.get('merges')),
    steps: Object.fromEntries(steps.filter(([, digest]) => digest !== '')),
    ...addedIn(isList(entries.get('added_tokens')) ? listed(entries.get('added_tokens')) : []),
  };
};

/** Facts of `tokenizer_config.json` about tokens: those that are added, and what the special ones are. */
export const describeTokenizerConfig = (root: JsonObject): Json | undefined => {
  const { entries } = root;
  const added = entries.get('added_tokens_decoder');
  const roles = Object.fromEntries(
    [...entries]
      .filter(([key, value]) => /^(?:bos|eos|unk|pad|sep|cls|mask)_token$/.test(key) && value !== null)
      .map(([key, value]) => [key, textOf(isObject(value) ? value.entries.get('content') : value)]),
  );
  if (!isObject(added) && Object.keys(roles).length === 0) return undefined;
  const tokens = isObject(added)
    ? [...added.entries].flatMap(([id, token]) => (isObject(token) ? [{ id, token: token.entries }] : []))
    : [];
  return { roles, ...addedIn(tokens) };
};

type Added = { readonly id: string; readonly token: ReadonlyMap<string, JsonValue> };

const listed = (value: JsonValue | undefined): readonly Added[] =>
  isList(value)
    ? value.flatMap((token) =>
        isObject(token) ? [{ id: scalarText(token.entries.get('id')), token: token.entries }] : [],
      )
    : [];

/** Added tokens as lines: number, text, and whether they are special. */
const addedIn = (tokens: readonly Added[]): { [key: string]: Json } => {
  const lines = tokens.map(({ id, token }) => {
    const special = token.get('special') === true ? 'special' : 'plain';
    return `${printable(id, 12)} ${textOf(token.get('content'))} ${special}`;
  });
  return { added: { count: lines.length, digest: textDigest(lines.join('\n')), listed: lines.slice(0, ADDED) } };
};

const textOf = (value: JsonValue | undefined): string => (typeof value === 'string' ? printable(value, TOKEN) : '');

/**
 * How many tokens there are, a digest of them whatever their numbers, and one of them with their numbers: a vocabulary with
 * the tokens of another and other numbers has been remapped.
 */
const vocabularyOf = (vocab: JsonValue | undefined): { [key: string]: Json } => {
  const pairs = isObject(vocab)
    ? vocab.entries
    : isList(vocab)
      ? vocab.map((item, at) => [isList(item) ? item[0] : item, at] as const)
      : [];
  const [tokens, numbered] = [
    { first: 0, second: 0 },
    { first: 0, second: 0 },
  ];
  let count = 0;
  for (const [token, number] of pairs) {
    const one = lanes();
    enterText(one, scalarText(token));
    // A sum does not depend on the order in which a file lists them.
    tokens.first = (tokens.first + one.first) | 0;
    tokens.second = (tokens.second + one.second) | 0;
    enter(one, Number(number));
    numbered.first = (numbered.first + one.first) | 0;
    numbered.second = (numbered.second + one.second) | 0;
    count += 1;
  }
  return { vocabulary: { count, tokens: shown(tokens), numbered: shown(numbered) } };
};

/** Merges of BPE in their order, which decides; written as `a b` by older versions and as a pair by newer ones. */
const digestOfMerges = (merges: JsonValue | undefined): Json => {
  const all = isList(merges) ? merges : [];
  const into = lanes();
  for (const merge of all) enterText(into, isList(merge) ? merge.map(scalarText).join(' ') : scalarText(merge));
  return { count: all.length, digest: shown(into) };
};

/** The digest of a value as JSON with sorted keys; empty for none. */
const digestOf = (value: JsonValue | undefined): string =>
  value === undefined || value === null ? '' : textDigest(JSON.stringify(plain(value)).slice(0, STEP));

const plain = (value: JsonValue): unknown => {
  if (isObject(value))
    return [...value.entries]
      .map(([key, item]) => [key, plain(item)])
      .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  return isList(value) ? value.map(plain) : value;
};
