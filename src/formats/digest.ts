/** A running 64-bit digest in two lanes. */
export type Lanes = { first: number; second: number };

/** The lanes that a digest of text begins with. */
export const lanes = (): Lanes => ({ first: 0x811c9dc5, second: 0x9747b28c });

/** Enters one 32-bit word. */
export const enter = (into: Lanes, word: number): void => {
  into.first = Math.imul(into.first ^ word, 0x01000193);
  into.second = Math.imul(into.second + word, 0x85ebca6b) ^ (into.second >>> 13);
};

/** Enters the units of a text and then its length, so that two texts are not taken for one. */
export const enterText = (into: Lanes, text: string): void => {
  for (let at = 0; at < text.length; at++) enter(into, text.charCodeAt(at));
  enter(into, ~text.length);
};

/** 16 hex digits. They tell equal from different; they are no seal: who wants equal things copies them. */
export const shown = ({ first, second }: Lanes): string => {
  const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
  return hex(first ^ (first >>> 15)) + hex(second ^ (second >>> 16));
};

/** The digest of one text. */
export const textDigest = (text: string): string => {
  const into = lanes();
  enterText(into, text);
  return shown(into);
};
