import { WeighbridgeError } from '../../errors.ts';

const DEFAULT_EXAMPLES = 3;
/** Examples of each change; they stay in memory. */
const MAX_EXAMPLES = 100;

/** The number that `--examples` gives. Throws REQUEST_INVALID for another than 0 to 100. */
export const examplesOf = (given: string | undefined): number => {
  const examples = given === undefined ? DEFAULT_EXAMPLES : Number(given);
  if (Number.isInteger(examples) && examples >= 0 && examples <= MAX_EXAMPLES) return examples;
  throw new WeighbridgeError('REQUEST_INVALID', `--examples is not 0 to ${MAX_EXAMPLES}`);
};
