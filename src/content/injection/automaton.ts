import { foldedLetters, foldsOf } from './fold.ts';
import { GROUPS, type Group, PHRASES } from './phrases.ts';

/**
 * An Aho-Corasick automaton over folded letters that chooses the texts worth reading: the beginnings of all phrases, a
 * table with one look a letter. What it finds may still be part of other words.
 */
type Automaton = {
  /** Class of each UTF-16 unit: 0 passes over, 1 is a letter of no phrase. */
  readonly classes: Uint8Array;
  /** The state that follows, by state and class. */
  readonly next: Uint16Array;
  /** Groups of the beginnings that end in a state, as bits. */
  readonly groups: Uint32Array;
};

const PASS = 0;
const OTHER = 1;
const FIRST = 2;
/** Classes; letters beyond share some, which only means a text more to read. */
const WIDTH = 192;
/** Letters of a phrase that choose a text: more make the table larger and no choice better. */
const BEGINNING = 10;
/** Groups that say nothing about whether a text is worth reading. */
const UNTELLING: ReadonlySet<Group> = new Set(['scope', 'weakOrder', 'exact', 'talk', 'system']);

/** The bit of a group in a set of groups. */
export const bitOf = (group: Group): number => 1 << GROUPS.indexOf(group);

/** A letter and the state that it leads to. */
type Edge = readonly [letter: number, state: number];

const build = (): Automaton => {
  const listed = GROUPS.filter((group) => !UNTELLING.has(group)).flatMap((group) =>
    PHRASES[group].split(',').map((text) => ({ bit: bitOf(group), letters: foldedLetters(text).slice(0, BEGINNING) })),
  );
  const folds = foldsOf();
  const classOf = new Uint8Array(0x10000).fill(OTHER);
  let used = FIRST;
  for (const { letters } of listed)
    for (const letter of letters) {
      if (classOf[letter] !== OTHER) continue;
      classOf[letter] = used < WIDTH ? used : FIRST + (letter % (WIDTH - FIRST));
      used += 1;
    }
  const classes = new Uint8Array(0x10000);
  for (let unit = 0; unit < 0x10000; unit++) {
    const letter = folds[unit] ?? 0;
    classes[unit] = letter === 0 ? PASS : (classOf[letter] ?? OTHER);
  }

  const edges: Edge[][] = [[]];
  const groups: number[] = [0];
  for (const { bit, letters } of listed) {
    let state = 0;
    for (const letter of letters) state = follow(edges, groups, state, classOf[letter] ?? OTHER);
    groups[state] = (groups[state] ?? 0) | bit;
  }
  const found = Uint32Array.from(groups);
  return { classes, next: link(edges, found), groups: found };
};

/** The state behind `letter`, made when there is none. */
const follow = (edges: Edge[][], groups: number[], state: number, letter: number): number => {
  const known = edges[state]?.find(([other]) => other === letter)?.[1];
  if (known !== undefined) return known;
  edges[state]?.push([letter, edges.length]);
  groups.push(0);
  return edges.push([]) - 1;
};

/** The table, breadth first: each state's row is the row of its longest suffix with its own edges laid over it. */
const link = (edges: readonly (readonly Edge[])[], groups: Uint32Array): Uint16Array => {
  const next = new Uint16Array(edges.length * WIDTH);
  const suffix = new Uint16Array(edges.length);
  const queue = [0];
  for (const state of queue) {
    const row = state * WIDTH;
    const back = (suffix[state] ?? 0) * WIDTH;
    next.copyWithin(row, back, back + WIDTH);
    for (const [letter, target] of edges[state] ?? []) {
      const other = state === 0 ? 0 : (next[back + letter] ?? 0);
      suffix[target] = other;
      groups[target] = (groups[target] ?? 0) | (groups[other] ?? 0);
      next[row + letter] = target;
      queue.push(target);
    }
    next[row + PASS] = state;
  }
  return next;
};

let built: Automaton | undefined;
const automaton = (): Automaton => {
  built ??= build();
  return built;
};

/** Makes the table now: called where a snapshot is taken, so that it is made once for all isolates. */
export const prepareAutomaton = (): void => {
  automaton();
};

/** Groups whose phrases may begin somewhere in `text`, as bits. One look a unit, whatever the text. */
export const groupsIn = (text: string): number => {
  const { classes, next, groups } = automaton();
  let state = 0;
  let found = 0;
  for (let at = 0; at < text.length; at++) {
    state = next[state * WIDTH + (classes[text.charCodeAt(at)] ?? 0)] ?? 0;
    found |= groups[state] ?? 0;
  }
  return found;
};
