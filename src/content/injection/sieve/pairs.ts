/**
 * Most text has no mark, and it takes two bytes a look to say so: wherever a mark begins, some of its letters lie in two
 * pairs of bytes that follow each other. Each pair has bits here: in the lower half for what tells if the pair behind it
 * goes on with the same bit in the upper half, and one bit that tells by itself.
 */
export const HALF = 15;
export const ALONE = 1 << (2 * HALF);

/** What may stand for a letter of a mark; the blank stands for anything. */
const ANYTHING = ' ';
const ANY = Array.from({ length: 256 }, (_, byte) => byte);
const formsOf = (letter: string | undefined): readonly number[] =>
  letter === undefined || letter === ANYTHING
    ? ANY
    : [...new Set([letter.toLowerCase().charCodeAt(0), letter.toUpperCase().charCodeAt(0)])];

/** Letters of English by how often they stand in text; what is none of them is seldom there. */
const COMMON = ' etaoinshrdlucmwfgypbvkxjqz';
const SELDOM = 0.005;
const costOf = (part: string): number =>
  [...part.toLowerCase()].reduce((cost, letter) => {
    const place = COMMON.indexOf(letter);
    return cost * (place < 0 ? SELDOM : place === 0 ? 1 : 0.2 / (place + 1));
  }, 1);

/** Letters of a mark that are written as they are in JSON, too: behind a backslash only the first may stand. */
const written = (mark: string): string =>
  mark.split(/(?=[/"])/).reduce((best, part) => {
    const plain = part.replace(/^\//, '');
    return plain.length > best.length ? plain : best;
  }, '');

/** The four letters of a mark that are the rarest, of those that begin at `first` or a whole number of pairs later. */
const rarest = (mark: string, first: number): string => {
  const text = `${ANYTHING.repeat(first)}${mark.replaceAll(' ', ANYTHING)}`;
  let best = '';
  for (let at = 0; at < text.length; at += 2) {
    const part = text.slice(at, at + 4).padEnd(4, ANYTHING);
    if (best === '' || costOf(part) < costOf(best)) best = part;
  }
  return best;
};

/** The bits of each pair of bytes, by the first times 256 plus the second, for marks of printable ASCII, whatever their case. */
export const pairsOf = (marks: readonly string[]): Uint32Array => {
  const pairs = new Uint32Array(0x10000);
  const set = (two: string, bits: number): void => {
    for (const first of formsOf(two[0]))
      for (const second of formsOf(two[1])) pairs[(first << 8) | second] = (pairs[(first << 8) | second] ?? 0) | bits;
  };
  let turn = 0;
  for (const mark of marks)
    for (const first of [0, 1]) {
      const four = rarest(written(mark), first);
      const [begins, ends] = [four.slice(0, 2), four.slice(2)];
      // Pairs of the same mark at both places have bits of their own.
      const bit = 1 << (turn++ % HALF);
      if (ends.trim() === '' || costOf(begins) <= ALONE_FROM) set(begins, ALONE);
      else if (costOf(ends) <= ALONE_FROM) set(ends, ALONE);
      else {
        set(begins, bit);
        set(ends, bit << HALF);
      }
    }
  return pairs;
};
/** How rare a pair is that tells by itself. */
const ALONE_FROM = SELDOM * SELDOM * 2;
