import type { Budget } from './limits.ts';
import { checkRange, type RandomAccess, sampleOf } from './random-access.ts';

/** The source with every byte that is read from it spent from the budget, repeats too. */
export const metered = (source: RandomAccess, budget: Budget): RandomAccess => ({
  size: source.size,
  read(offset, length) {
    checkRange(source.size, offset, length);
    budget.spend('bytesRead', length);
    return source.read(offset, length);
  },
  sample(offset, length) {
    checkRange(source.size, offset, length);
    budget.spend('bytesRead', length);
    return sampleOf(source, offset, length);
  },
});
