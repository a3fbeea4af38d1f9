import type { RandomAccess } from '../bytes/random-access.ts';

/**
 * `ask`, which formats ask of a source one after the other and whose answer may take all of it, asked once for so many bytes
 * of its beginning. Only the last answer is kept: remembering each of many small sources takes longer than asking.
 */
export const rememberLast = <T>(
  ask: (head: Uint8Array, source: RandomAccess) => T,
): ((head: Uint8Array, source: RandomAccess) => T) => {
  let last: { readonly source: RandomAccess; readonly bytes: number; readonly answer: T } | undefined;
  return (head, source) => {
    if (last?.source !== source || last.bytes !== head.length)
      last = { source, bytes: head.length, answer: ask(head, source) };
    return last.answer;
  };
};
