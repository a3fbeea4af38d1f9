import { examine } from './injection/examine.ts';
import { ORDER } from './injection/verdict.ts';

/** The passage of a single text that orders a model around, or nothing. Linear in the length of `text`. */
export const obviousInjection = (text: string): string | undefined => {
  const verdict = examine(text);
  if (verdict === undefined || verdict.discussed || verdict.score + verdict.tokens < ORDER) return undefined;
  return `${verdict.signs.map(({ family }) => family).join(', ')}: ${verdict.passage}`;
};
