import { parse, tokenize } from '@huggingface/jinja';
import { isFault } from '../../errors.ts';

/**
 * The syntax tree of a template, undefined when it has none. White space runs are shortened first: the tokenizer's
 * preprocessing takes quadratic time in their length.
 */
export const parseTemplate = (template: string): unknown => {
  try {
    return parse(tokenize(shortened(template)));
  } catch (error) {
    if (isFault(error)) throw error;
    return undefined;
  }
};

/** Runs of white space longer than this mean the same to the analysis as shorter ones. */
const SPACES = 64;

const shortened = (text: string): string => {
  let out = '';
  let from = 0;
  let run = 0;
  for (let at = 0; at < text.length; at++) {
    if (text.charAt(at).trim() !== '') {
      run = 0;
      continue;
    }
    run += 1;
    if (run <= SPACES) continue;
    out += text.slice(from, at);
    from = at + 1;
  }
  return out + text.slice(from);
};
