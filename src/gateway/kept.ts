import { createHash } from 'node:crypto';
import { WeighbridgeError } from '../errors.ts';
import { readFacts } from '../policy/facts-schema.ts';
import { loadPolicies } from '../policy/load.ts';
import type { Facts, PolicySet } from '../policy/types.ts';
import type { KeptRecords } from '../store/records-read.ts';
import { createMemo } from './memo.ts';

/** Compiled policy sets in memory. A log of a year names some hundred, mostly many times in a row. */
const MAX_SETS = 20;

/** What past decisions were made of. */
export type Kept = {
  /** The facts of this digest; undefined when none are kept. Throws STORE_CORRUPT for others than were entered. */
  facts(digest: string): Facts | undefined;
  /** The policy set of this digest. Throws NOT_FOUND when it is not kept, STORE_CORRUPT when it is not as it was. */
  policies(digest: string): PolicySet;
};

/** Facts and policy sets of the records, checked against the digests that the access log names them by. */
export const createKept = (records: Pick<KeptRecords, 'get'>): Kept => {
  const sets = createMemo<PolicySet>(MAX_SETS);
  return {
    facts(digest) {
      const value = records.get('facts', digest);
      if (value === undefined) return undefined;
      const found = createHash('sha256').update(JSON.stringify(value)).digest('hex');
      if (found !== digest) throw changed('facts', digest);
      return readFacts(value);
    },
    policies(digest) {
      const known = sets.get(digest);
      if (known !== undefined) return known;
      const kept = records.get('policySet', digest);
      if (kept === undefined) throw new WeighbridgeError('NOT_FOUND', `no policy set ${digest} is kept`);
      const set = loadPolicies(kept.files);
      if (set.digest !== digest) throw changed('policy set', digest);
      sets.set(digest, set);
      return set;
    },
  };
};

const changed = (what: string, digest: string): WeighbridgeError =>
  new WeighbridgeError('STORE_CORRUPT', `the ${what} kept as ${digest} are not those that were entered`);
