import { z } from 'zod';
import { WeighbridgeError } from '../../errors.ts';

/** What came from outside, as `schema` reads it. Throws REQUEST_INVALID that says where it is not as expected. */
export const readInput = <T>(schema: z.ZodType<T>, value: unknown): T => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new WeighbridgeError('REQUEST_INVALID', z.prettifyError(parsed.error));
};
