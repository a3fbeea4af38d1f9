/**
 * Words of an order as they are misspelt on purpose: people and models read over two letters in the wrong order, one
 * twice or one too few inside a word, where a list of words does not. Only words that no such slip makes another word of.
 */
const slips = (word: string): readonly string[] => {
  const out = new Set<string>();
  for (let at = 0; at < word.length; at++) {
    const one = word.charAt(at);
    out.add(word.slice(0, at) + one + word.slice(at));
    if (at === word.length - 1) break;
    out.add(word.slice(0, at) + word.charAt(at + 1) + one + word.slice(at + 2));
    if (at > 0) out.add(word.slice(0, at) + word.slice(at + 1));
  }
  out.delete(word);
  return [...out];
};

/** Two pairs of letters in the wrong order: for the one word that every such order has. */
const twice = (word: string): readonly string[] =>
  slips(word)
    .filter(({ length }) => length === word.length)
    .flatMap((slip) => slips(slip).filter(({ length }) => length === word.length))
    .filter((slip) => slip !== word && slip.charAt(0) === word.charAt(0));

/** A list of phrases more, for the table of phrases. */
const listed = (words: readonly string[], more: readonly string[] = []): string =>
  [...new Set([...words.flatMap(slips), ...more])].join(',');

/** Ways to misspell the words of an order, by their role in it. */
export const MISSPELT = {
  drop: listed(['ignore', 'disregard', 'bypass'], ['forgte', 'froget', 'fogret', 'forgt', 'forgett']),
  order: listed(['instructions', 'instruction', 'directives']),
  scope: listed(['previous', 'prior'], twice('previous')),
  prompt: listed(['system prompt']),
};
