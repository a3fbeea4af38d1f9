import type { Line, Token } from './tokens.ts';

/** A token's text, but never a string's: a string that spells a keyword is none. */
export const textAt = (tokens: readonly Token[], index: number): string => {
  const token = tokens[index];
  return token && token.kind !== 'string' ? token.text : '';
};

/** Where a line stands: in which outermost function or class (`owner`), and in which of the class's methods (`member`). */
export type Place = { readonly owner: string; readonly member: string; readonly atImport: boolean };

/** For each line where it stands, and whether it runs when the module is imported. */
export const placesOf = (tokens: readonly Token[], lines: readonly Line[]): Place[] => {
  const blocks: { indent: number; name: string; waits: boolean; holds: boolean }[] = [];
  return lines.map(({ indent, from, to }) => {
    while ((blocks.at(-1)?.indent ?? -1) >= indent) blocks.pop();
    const place = placeIn(blocks);
    const first = textAt(tokens, from) === 'async' ? from + 1 : from;
    const word = textAt(tokens, first);
    const main = word === 'if' && tokens.slice(from, to).some(({ text }) => text === '__name__');
    if (word === 'def' || word === 'class' || main) {
      const colon = endOfHead(tokens, first, to);
      // `def f(): body` on one line waits; its defaults do not, but they hold no statement worth the difference.
      if (word === 'def' && colon < to - 1)
        return placeIn([...blocks, { name: textAt(tokens, first + 1), waits: true, holds: false }]);
      const name = main ? '__main__' : textAt(tokens, first + 1);
      blocks.push({ indent, name, waits: word === 'def' || main, holds: word === 'class' });
    }
    return place;
  });
};

const placeIn = (blocks: readonly { name: string; waits: boolean; holds: boolean }[]): Place => ({
  owner: blocks[0]?.name ?? '',
  member: blocks[0]?.holds === true ? (blocks[1]?.name ?? '') : '',
  atImport: !blocks.some(({ waits }) => waits),
});

/** Index of the colon that ends a compound statement's head; `to` when there is none. */
export const endOfHead = (tokens: readonly Token[], from: number, to: number): number => {
  for (let at = from; at < to; at++) {
    const token = tokens[at];
    if (token && token.match > at) at = token.match;
    else if (textAt(tokens, at) === ':') return at;
  }
  return to;
};
