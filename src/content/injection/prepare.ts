import { prepareAutomaton } from './automaton.ts';
import { preparePhrases } from './hits.ts';
import { prepareSieve } from './sieve/bytes.ts';

/** Makes the tables of the rules now instead of with the first text: for snapshots. */
export const prepareRules = (): void => {
  prepareAutomaton();
  preparePhrases();
  prepareSieve();
};
