import type { AccessLog } from '../audit/types.ts';
import type { WeighbridgeError } from '../errors.ts';
import { changesBetween } from '../policy/changes.ts';
import type { PolicySet } from '../policy/types.ts';
import type { Records } from '../store/types.ts';

/** Names of one kind of change in an entry; the sets themselves are kept by digest. */
const MAX_NAMES = 50;
const PAGE = 1_000;

/** A set that was in force once. */
export type PastSet = Pick<PolicySet, 'digest' | 'files'>;

/** The set that came into force last, before this process; undefined when none is kept. */
export const lastSet = async (records: Records): Promise<PastSet | undefined> => {
  let newest: (PastSet & { readonly at: number }) | undefined;
  for (let after = ''; ; ) {
    const page = await records.list('policySet', '', PAGE, after);
    for (const { key, value } of page) {
      const { files, at, shadow } = value;
      if (shadow !== true && at > (newest?.at ?? 0)) newest = { digest: key, files, at };
    }
    after = page.at(-1)?.key ?? '';
    if (page.length < PAGE) return newest;
  }
};

/** Enters that a set came into force: who signed it, and what became of the one before. */
export const enterLoaded = (
  log: AccessLog,
  set: PolicySet,
  previous: PastSet | undefined,
  signers: readonly string[],
): void => {
  const { added, removed, changed } = changesBetween(previous?.files ?? {}, set.files);
  log.enqueue({
    kind: 'policy.loaded',
    detail: {
      digest: set.digest,
      previous: previous?.digest ?? '',
      ...(signers.length > 0 && { signers: signers.join(', ') }),
      ...(previous !== undefined && { added: named(added), removed: named(removed), changed: named(changed) }),
    },
  });
};

const named = (names: readonly string[]): string =>
  names.slice(0, MAX_NAMES).join(', ') + (names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : '');

/** Keeps a shadow set under its digest and enters that it decides from now on. */
export const enterShadow = (log: AccessLog, records: Records, { digest, files }: PolicySet): void => {
  records.add('policySet', digest, { files, at: Date.now(), shadow: true }).catch(() => undefined);
  log.enqueue({ kind: 'policy.loaded', detail: { digest, shadow: true } });
};

/** Enters that an edit was not taken. */
export const enterRejected = (log: AccessLog, { message }: WeighbridgeError, shadow: boolean): void =>
  log.enqueue({ kind: 'policy.rejected', detail: { message: message.slice(0, 1000), ...(shadow && { shadow }) } });
