import { compileGlob } from './glob.ts';
import type { ObserveDocument } from './schema.ts';
import type { Facts } from './types.ts';

/**
 * Whether facts are only observed, by all documents that say so. A team that the path of the request names and no token
 * proves is nobody's: else whoever is refused would name a team that is not.
 */
export const compileObserve = (documents: readonly ObserveDocument[]): ((facts: Facts) => boolean) => {
  if (documents.some(observesAll)) return () => true;
  const tests = documents.flatMap(({ teams = [] }) => teams.map(compileGlob));
  return ({ requester }) => {
    const team = provenTeam(requester);
    return team !== '' && tests.some((test) => test(team));
  };
};

/** Whether the document speaks of everybody. */
export const observesAll = ({ teams }: ObserveDocument): boolean => teams === undefined;

const provenTeam = ({ team, teamFrom }: Facts['requester']): string => (teamFrom === 'token' ? team : '');

/** What is named as the rule of a decision that is not enforced. */
export const OBSERVE_RULE = 'observe';

/** Stands among the files of a set for the setting `mode: observe`, so that its digest tells; no file has this name. */
export const OBSERVE_ALL = { name: '(mode: observe)', text: 'apiVersion: weighbridge/v1\nkind: Observe\n' } as const;
