import { foldedLetters, foldsOf } from './fold.ts';
import { GROUPS, type Group, PHRASES } from './phrases.ts';

/**
 * An Aho-Corasick automaton over folded letters that chooses the texts worth reading: the beginnings of all phrases. Latin
 * letters, most of all, have a flat table whose rows fit into a line of the processor's cache; for the letters of other
 * scripts, a few in each state, there are edges and suffixes. What it finds may still be part of other words.
 */
export type Automaton = {
  /** Class of each UTF-16 unit: PASS, OTHER, a Latin letter, or WIDE. */
  readonly classes: Uint8Array;
  /** The state that follows, by state times 2^SHIFT and class below WIDE. */
  readonly next: Uint16Array;
  /** States from here on have groups. */
  readonly telling: number;
  /** Groups of the beginnings that end in a state, as bits. */
  readonly groups: Uint32Array;
  /** The state that follows by a letter of class WIDE. */
  wide(state: number, unit: number): number;
};

/** Bits of the classes in the flat table. */
const SHIFT = 5;
const PASS = 0;
const OTHER = 1;
const LATIN = 2;
/** Class of letters that have no column in the flat table. */
export const WIDE = 255;
/** The last column is for whoever looks at bytes: under it stands what no state is, for bytes that ask for more than a look. */
export const ASKS = 31;
export const NOWHERE = 0xffff;
const A = 0x61;
const Z = 0x7a;
/** Letters of a phrase that choose a text: more make the table larger and no choice better. */
const BEGINNING = 10;
/** Groups that say nothing about whether a text is worth reading. */
const UNTELLING: ReadonlySet<Group> = new Set(['scope', 'weakOrder', 'exact', 'talk', 'system']);

/** The bit of a group in a set of groups. */
export const bitOf = (group: Group): number => 1 << GROUPS.indexOf(group);

const isLatin = (letter: number): boolean => letter >= A && letter <= Z;

/** States by the letters that lead to them, in the order in which they were made; 0 is the beginning. */
type Trie = { readonly edges: Map<number, number>[]; readonly groups: number[] };

const build = (): Automaton => {
  const trie: Trie = { edges: [new Map()], groups: [0] };
  const letters = new Set<number>();
  for (const group of GROUPS.filter((name) => !UNTELLING.has(name)))
    for (const phrase of PHRASES[group].split(',')) {
      const beginning = foldedLetters(phrase).slice(0, BEGINNING);
      for (const letter of beginning) letters.add(letter);
      const end = beginning.reduce((state, letter) => follow(trie, state, letter), 0);
      trie.groups[end] = (trie.groups[end] ?? 0) | bitOf(group);
    }
  const folds = foldsOf();
  const classes = Uint8Array.from(folds, (letter) => {
    if (letter === 0) return PASS;
    if (!letters.has(letter)) return OTHER;
    return isLatin(letter) ? letter - A + LATIN : WIDE;
  });
  return { classes, ...link(trie) };
};

/** The state behind `letter`, made when there is none. */
const follow = ({ edges, groups }: Trie, state: number, letter: number): number => {
  const known = edges[state]?.get(letter);
  if (known !== undefined) return known;
  edges[state]?.set(letter, edges.length);
  groups.push(0);
  return edges.push(new Map()) - 1;
};

/**
 * Breadth first, each state gets its longest suffix: its row of the flat table is the row of that with its own edges laid
 * over it. States with groups are moved behind the others.
 */
const link = ({ edges, groups }: Trie): Omit<Automaton, 'classes'> => {
  const suffix = new Uint16Array(edges.length);
  const queue = [0];
  const after = (state: number, letter: number): number => {
    for (let from = state; ; from = suffix[from] ?? 0) {
      const target = edges[from]?.get(letter);
      if (target !== undefined) return target;
      if (from === 0) return 0;
    }
  };
  for (const state of queue)
    for (const [letter, target] of edges[state] ?? []) {
      const other = state === 0 ? 0 : after(suffix[state] ?? 0, letter);
      suffix[target] = other;
      groups[target] = (groups[target] ?? 0) | (groups[other] ?? 0);
      queue.push(target);
    }
  const silent = queue.filter((state) => groups[state] === 0);
  const order = [...silent, ...queue.filter((state) => groups[state] !== 0)];
  const place = new Uint16Array(edges.length);
  for (const [index, state] of order.entries()) place[state] = index;

  const next = new Uint16Array(edges.length << SHIFT);
  const wideEdges: [key: number, target: number][] = [];
  for (const state of queue) {
    const row = (place[state] ?? 0) << SHIFT;
    const back = (place[suffix[state] ?? 0] ?? 0) << SHIFT;
    next.copyWithin(row, back, back + (1 << SHIFT));
    for (const [letter, target] of edges[state] ?? []) {
      const to = place[target] ?? 0;
      if (isLatin(letter)) next[row + letter - A + LATIN] = to;
      else wideEdges.push([(place[state] ?? 0) * 0x10000 + letter, to]);
    }
    next[row + PASS] = place[state] ?? 0;
    next[row + ASKS] = NOWHERE;
  }
  const suffixes = Uint16Array.from(order, (state) => place[suffix[state] ?? 0] ?? 0);
  const found = Uint32Array.from(order, (state) => groups[state] ?? 0);
  return { next, telling: silent.length, groups: found, wide: createWide(wideEdges, suffixes) };
};

/** Edges of letters without a column, in a table with open addressing; what has no edge is looked up at its suffix. */
const createWide = (edges: readonly (readonly [number, number])[], suffixes: Uint16Array): Automaton['wide'] => {
  const size = 2 ** Math.ceil(Math.log2(edges.length * 2 + 2));
  const keys = new Float64Array(size).fill(-1);
  const targets = new Uint16Array(size);
  const slotOf = (state: number, letter: number): number =>
    (Math.imul(state, 0x9e3779b1) ^ Math.imul(letter, 0x85ebca6b)) >>> 7;
  for (const [key, target] of edges) {
    let slot = slotOf(Math.floor(key / 0x10000), key % 0x10000) % size;
    while (keys[slot] !== -1) slot = (slot + 1) % size;
    keys[slot] = key;
    targets[slot] = target;
  }
  const folds = foldsOf();
  return (state, unit) => {
    const letter = folds[unit] ?? 0;
    for (let from = state; ; from = suffixes[from] ?? 0) {
      const key = from * 0x10000 + letter;
      for (let slot = slotOf(from, letter) % size; keys[slot] !== -1; slot = (slot + 1) % size)
        if (keys[slot] === key) return targets[slot] ?? 0;
      if (from === 0) return 0;
    }
  };
};

let built: Automaton | undefined;
/** The table, made when it is first asked for. */
export const automaton = (): Automaton => {
  built ??= build();
  return built;
};

/** Makes the table now: called where a snapshot is taken, so that it is made once for all isolates. */
export const prepareAutomaton = (): void => {
  automaton();
};

/** Groups whose phrases may begin somewhere in `text`, as bits. One look a unit, whatever the text. */
export const groupsIn = (text: string): number => {
  const { classes, next, telling, groups, wide } = automaton();
  let state = 0;
  let found = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    const letter = classes[unit] ?? 0;
    state = letter === WIDE ? wide(state, unit) : (next[(state << 5) | letter] ?? 0);
    if (state >= telling) found |= groups[state] ?? 0;
  }
  return found;
};
