import { WeighbridgeError } from '../../errors.ts';
import { type Document, parseJson } from './parse.ts';

/** Python's json module gives up at about a thousand levels. */
export const DIALECT = { depth: 512, python: true };

/** The value that a part of a file is, and nothing else: `what` stands at `offset`. Throws like `parseJson`. */
export const parsePart = (text: string, offset: number, what: string): Document => {
  const part = parseAt(text, offset);
  if (text.slice(part.end).trim() !== '')
    throw new WeighbridgeError('FORMAT_INVALID', `JSON: ${what} goes on behind its value`, { offset });
  return part;
};

const parseAt = (text: string, offset: number): Document => {
  try {
    return parseJson(text, DIALECT);
  } catch (error) {
    if (!(error instanceof WeighbridgeError)) throw error;
    throw new WeighbridgeError(error.code, error.message, { ...error.details, offset }, { cause: error });
  }
};
