import { readFacts } from '../../policy/facts-schema.ts';
import type { PolicySet } from '../../policy/types.ts';
import type { Records } from '../../store/types.ts';
import type { OrderBook } from './book.ts';
import { isOrderRule, type Restrain } from './restrain.ts';
import { createRunning, type RunningBodies } from './running.ts';

/**
 * Bodies on their way out, which are decided again when orders change: from the facts that they were let out on. Only
 * orders cut them; what a new policy says counts from the next request on.
 */
export const createRunningUnder = (
  book: OrderBook,
  restrain: Restrain,
  records: Pick<Records, 'get'>,
  policies: () => PolicySet,
): RunningBodies =>
  createRunning({
    needed: () => book.list().length > 0,
    async check({ decision, evidence }) {
      const value = evidence === undefined ? undefined : await records.get('facts', evidence.facts);
      if (value === undefined) return undefined;
      const facts = readFacts(value);
      const set = policies();
      const now = await restrain(set.decide(facts, Date.now()), facts, set);
      const stops = now.action === 'deny' || now.action === 'quarantine';
      return stops && (isOrderRule(now.rule) || isOrderRule(decision?.rule ?? '')) ? now : undefined;
    },
  });
