import type { Entry } from '../audit/types.ts';
import type { Decision } from '../policy/types.ts';

/** A decision as an entry carries it. */
export const briefly = ({ action, rule, reason }: Decision): NonNullable<Entry['decision']> => ({
  action,
  rule,
  reason,
});
