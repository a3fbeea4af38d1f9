import type { AccessLog, Entry } from '../../audit/types.ts';
import type { Records } from '../../store/types.ts';
import type { ByWhom } from '../token-office.ts';
import type { Filed } from './book.ts';

type Step = Extract<Entry['kind'], `quarantine.${string}`>;

/** Enters a step of a release. Resolves once it is on the disk. */
export const enterStep = async (
  log: AccessLog,
  kind: Step,
  release: Filed,
  by: ByWhom | undefined,
  more: Readonly<Record<string, string | number>> = {},
): Promise<void> => {
  const { id, artefact, rules, approvals, reason, owner, facts, policySet, expiresAt } = release;
  await log.append({
    kind,
    ...(by?.request !== undefined && { request: by.request }),
    ...(by !== undefined && { actor: log.pseudonym(by.name) }),
    artefact,
    detail: {
      release: id,
      rules: rules.join(' '),
      approvals: approvals.length,
      ...more,
      reason,
      // People are known to the log by their pseudonyms.
      owner: owner === '' ? '' : log.pseudonym(owner),
      ...(expiresAt !== undefined && { expires: new Date(expiresAt).toISOString() }),
      facts,
      policySet,
    },
  });
};

/** Whom a pseudonym stands for; itself when that was erased. */
export const personOf = async (records: Pick<Records, 'get'>, pseudonym: string): Promise<string> =>
  (await records.get('person', pseudonym))?.value ?? pseudonym;
