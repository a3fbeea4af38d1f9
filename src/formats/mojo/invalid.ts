import { WeighbridgeError } from '../../errors.ts';

/** Throws FORMAT_INVALID for what the library that reads such models would stumble over, at that byte. */
export const invalid: (message: string, offset?: number) => never = (message, offset = 0) => {
  throw new WeighbridgeError('FORMAT_INVALID', message, { offset });
};
