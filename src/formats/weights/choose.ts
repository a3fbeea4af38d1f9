import type { Described } from './structure.ts';

/** Parts of a network that differences are told by, in the order in which a name is held against them. */
export const PARTS = ['norm', 'embedding', 'head', 'attention', 'mlp', 'other'] as const;
export type Part = (typeof PARTS)[number];

/** Names of transformers, BERT, GPT-2, Falcon, llama.cpp and diffusers; what none of them uses is `other`. */
const NAMES: readonly (readonly [Part, RegExp])[] = [
  ['norm', /norm|(?:^|[._])ln_?(?:\d|\*|f|post|pre)/i],
  ['embedding', /embd|embed(?!_out)|(?:^|\.)(?:wte|wpe|shared)\b|time_embedding/i],
  ['head', /^(?:model\.)?(?:lm_head|embed_out|output|score|classifier|cls|qa_outputs)\b/i],
  ['attention', /attn|attention|[qkv]_proj|(?:^|\.)(?:qkv|to_[qkv]|query|key|value|c_attn)\b/i],
  ['mlp', /mlp|ffn|ffw|feed_forward|fc_?[\d*]|experts?\.|gate|(?:up|down)_proj|dense|intermediate|c_proj|c_fc/i],
];

/** Characters of a name that are looked at. */
const NAME = 300;

/** The part of a network that a tensor of this name belongs to, as far as names tell. */
export const partOf = (name: string): Part => {
  const text = name.slice(0, NAME);
  return NAMES.find(([, pattern]) => pattern.test(text))?.[0] ?? 'other';
};

/** Tensors that are chosen among: more are thinned evenly first. */
const CANDIDATES = 4096;
/** Of 32 tensors so many of each part at least, where there are as many. */
const SHARES: Readonly<Record<Part, number>> = { norm: 4, embedding: 2, head: 2, attention: 8, mlp: 10, other: 6 };

/** FNV-1a over the units of a name, mixed once more. */
const hashed = (name: string): number => {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
};

/**
 * At most `count` tensors of every part of the network, those whose names have the smallest hash: so two files with the same
 * names have the same ones chosen, and of a file in shards at least those that the whole one has.
 */
export const choose = <T extends Described>(tensors: readonly T[], count: number): readonly T[] => {
  if (tensors.length <= count) return tensors;
  const ranked = thinned(tensors)
    .map((tensor) => ({ tensor, rank: hashed(tensor.name) }))
    .sort((a, b) => a.rank - b.rank);
  const left: Record<Part, number> = { ...SHARES };
  const parts = new Map<string, Part>();
  const [first, rest]: [T[], T[]] = [[], []];
  for (const { tensor } of ranked) {
    // All layers have the same names but for a number.
    const pattern = tensor.name.replace(/\d+/g, '*');
    const part = parts.get(pattern) ?? partOf(pattern);
    parts.set(pattern, part);
    if (left[part]-- > 0) first.push(tensor);
    else rest.push(tensor);
  }
  return [...first, ...rest].slice(0, count);
};

/** Evenly spread ones, the first and the last among them. */
export const thinned = <T>(tensors: readonly T[], limit = CANDIDATES): readonly T[] => {
  if (tensors.length <= limit) return tensors;
  const step = (tensors.length - 1) / (limit - 1);
  return Array.from({ length: limit }, (_, at) => tensors[Math.round(at * step)]).filter(
    (tensor) => tensor !== undefined,
  );
};
