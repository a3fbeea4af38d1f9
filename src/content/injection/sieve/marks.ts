import { secretMarkers } from '../../secrets.ts';
import { TOKEN_STARTS } from '../tokens.ts';

/** What a mark calls for: a closer look at the text, at its credentials, at its address; at what stands around the mark. */
export const SPEAKS = 1;
export const SECRET = 2;
export const ADDRESS = 4;
export const ACTION = 8;
export const ROLE = 16;
/** Bits of an answer of the sieve below the place at which the text ended. */
export const FLAGS = 8;

/** Classes of ASCII letters, without case; 0 for those of no mark. */
export const MARK_SHIFT = 6;
export const MARK_WIDTH = 1 << MARK_SHIFT;

/** All marks; of those that are not ASCII the sieve sees other signs. */
export const LISTED: readonly (readonly [mark: string, flag: number])[] = [
  ...secretMarkers.map((mark) => [mark, SECRET] as const),
  ...TOKEN_STARTS.map((mark) => [mark, SPEAKS] as const),
  ...['](', 'src=', '&#', '"name"'].map((mark) => [mark, SPEAKS] as const),
  ['://', ADDRESS],
  ['action', ACTION],
  ...['system', 'admin', 'developer', 'root'].map((mark) => [mark, ROLE] as const),
];

/** An Aho-Corasick automaton over ASCII: marks of tokens, links, agents, roles and credentials. */
export type Marks = {
  /** Class of each ASCII unit. */
  readonly classes: Uint8Array;
  readonly next: Uint16Array;
  /** Flags of the marks that end in a state. */
  readonly flags: Uint8Array;
};

const build = (): Marks => {
  const marks = LISTED.map(([mark, flag]) => [mark.toLowerCase(), flag] as const).filter(([mark]) =>
    /^[ -~]+$/.test(mark),
  );
  const letters = [...new Set(marks.flatMap(([mark]) => [...mark]))];
  if (letters.length >= MARK_WIDTH) throw new RangeError('more letters in marks than there are classes');
  const classes = new Uint8Array(128);
  for (const [index, letter] of letters.entries())
    for (const form of [letter, letter.toUpperCase()]) classes[form.charCodeAt(0)] = index + 1;
  const states = marks.reduce((sum, [mark]) => sum + mark.length, 1);
  const next = new Uint16Array(states * MARK_WIDTH);
  const flags = new Uint8Array(states);
  let used = 1;
  for (const [mark, flag] of marks) {
    let state = 0;
    for (let at = 0; at < mark.length; at++) {
      const edge = state * MARK_WIDTH + (classes[mark.charCodeAt(at)] ?? 0);
      if (next[edge] === 0) next[edge] = used++;
      state = next[edge] ?? 0;
    }
    flags[state] = (flags[state] ?? 0) | flag;
  }
  link(next, flags, used);
  return { classes, next: next.slice(0, used * MARK_WIDTH), flags: flags.slice(0, used) };
};

/** Fills in what follows where no mark goes on, breadth first. */
const link = (next: Uint16Array, flags: Uint8Array, used: number): void => {
  const suffix = new Uint16Array(used);
  const queue = [0];
  for (const state of queue)
    for (let letter = 0; letter < MARK_WIDTH; letter++) {
      const edge = state * MARK_WIDTH + letter;
      const target = next[edge] ?? 0;
      const other = state === 0 ? 0 : (next[(suffix[state] ?? 0) * MARK_WIDTH + letter] ?? 0);
      if (target === 0) next[edge] = other;
      else {
        suffix[target] = other;
        flags[target] = (flags[target] ?? 0) | (flags[other] ?? 0);
        queue.push(target);
      }
    }
};

let built: Marks | undefined;
/** The table, made when it is first asked for. */
export const marks = (): Marks => (built ??= build());
