import { isFault } from '../../errors.ts';
import { type Context, printable } from '../format.ts';
import { type JsonValue, parseJson } from '../json/parse.ts';
import { judgeConfig, type Reader } from './config.ts';

/** Objects inside each other; Python's json module gives up at about a thousand. */
const DIALECT = { depth: 512, python: true };

/**
 * Judges a configuration that stands as JSON text at `offset` of a file. False, with a finding, when it is no JSON: no
 * reader can make a model of it, and none can say what is in it.
 */
export const judgeKerasText = (
  text: string,
  offset: number,
  context: Context,
  reader: Reader = 'saved-model',
): boolean => {
  if (text.trim() === '') return true;
  context.budget.spend('steps', text.length);
  const document = parse(text);
  if (typeof document === 'string') {
    context.report({
      rule: 'keras.json',
      severity: 'medium',
      message: `a configuration is no JSON: ${document}`,
      offset,
    });
    return false;
  }
  for (const remark of judgeConfig(document.value, reader, context.budget)) context.report({ ...remark, offset });
  return true;
};

const parse = (text: string): { readonly value: JsonValue } | string => {
  try {
    const { value, duplicates, end } = parseJson(text, DIALECT);
    const [twice] = duplicates;
    if (twice !== undefined) return `the key ${printable(twice.key, 60)} stands twice`;
    return text.slice(end).trim() === '' ? { value } : 'something follows it';
  } catch (error) {
    if (isFault(error)) return printable(error.message);
    throw error;
  }
};
