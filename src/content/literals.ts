const ASCII = 128;

type Table = { readonly next: Uint16Array; readonly ends: Uint8Array };

/** The automaton of Aho and Corasick for `words`. */
const tableOf = (words: readonly string[]): Table => {
  const states = words.reduce((sum, word) => sum + word.length, 1);
  const next = new Uint16Array(states * ASCII);
  const ends = new Uint8Array(states);
  let used = 1;
  for (const word of words) {
    let state = 0;
    for (let at = 0; at < word.length; at++) {
      const edge = state * ASCII + (word.charCodeAt(at) % ASCII);
      if (next[edge] === 0) next[edge] = used++;
      state = next[edge] ?? 0;
    }
    ends[state] = 1;
  }
  const suffix = new Uint16Array(used);
  const queue = [0];
  for (const state of queue) {
    for (let letter = 0; letter < ASCII; letter++) {
      const edge = state * ASCII + letter;
      const target = next[edge] ?? 0;
      const other = state === 0 ? 0 : (next[(suffix[state] ?? 0) * ASCII + letter] ?? 0);
      if (target === 0) next[edge] = other;
      else {
        suffix[target] = other;
        if (ends[other] === 1) ends[target] = 1;
        queue.push(target);
      }
    }
  }
  return { next, ends };
};

/** Whether any of `words` (ASCII, case matters) stands in a text: one look a character, however many words. */
export const createLiterals = (words: readonly string[]): ((text: string) => boolean) => {
  const { next, ends } = tableOf(words);
  return (text) => {
    let state = 0;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      state = unit < ASCII ? (next[state * ASCII + unit] ?? 0) : 0;
      if (ends[state] === 1) return true;
    }
    return false;
  };
};

/** The same for bytes from `start` to `end`, whatever the case of their letters. */
export const createByteLiterals = (
  words: readonly string[],
): ((bytes: Uint8Array, start: number, end: number) => boolean) => {
  const { next, ends } = tableOf(words.map((word) => word.toLowerCase()));
  return (bytes, start, end) => {
    let state = 0;
    for (let at = start; at < end; at++) {
      const byte = bytes[at] ?? 0;
      const letter = byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;
      state = letter < ASCII ? (next[state * ASCII + letter] ?? 0) : 0;
      if (ends[state] === 1) return true;
    }
    return false;
  };
};
