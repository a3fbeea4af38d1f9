import { sha256Hex } from '../../bytes/sha256.ts';

/**
 * A digest of where a file is cut, from its first byte to its last, by the ends of its parts in their order. Two files with
 * one digest are cut in the same places; it is compared by those who see both.
 */
export const cutsOf = (ends: readonly number[]): string => {
  const text = ends.join(',');
  return sha256Hex(Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
};
