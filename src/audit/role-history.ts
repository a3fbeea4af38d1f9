import type { LoggedEntry } from './entry.ts';

/** A role that somebody held, in ms since the epoch; without `until` it is held still. */
export type Held = {
  readonly kind: 'token' | 'account';
  /** Pseudonym of the holder, as in the entries of what they did. */
  readonly who: string;
  readonly role: string;
  readonly team: string;
  readonly mounts: string;
  readonly from: number;
  readonly until?: number;
  /** Pseudonym of whoever gave it, and of whoever took it before its time. */
  readonly by: string;
  readonly endedBy?: string;
  /** Sign-ins of a person in the time that is asked about, and the newest of them. */
  readonly signIns: number;
  readonly lastSignIn?: number;
};

/** Holders that are told apart: more than a gateway keeps tokens and accounts. */
const MAX_HOLDERS = 200_000;

/** What entries say about who held which role, handed over in the order of the log, of the time from `from` to `to`. */
export const createRoleHistory = (
  from: number,
  to: number,
): { add(entry: LoggedEntry): void; result(): readonly Held[] } => {
  const held = new Map<string, Held>();
  const at = (key: string, change: (one: Held) => Held): void => {
    const one = held.get(key);
    if (one !== undefined) held.set(key, change(one));
  };
  return {
    add({ kind, time, actor = '', detail = {} }) {
      const text = (name: string): string => String(detail[name] ?? '');
      const when = Date.parse(time);
      const [kindOf] = kind.split('.');
      const who = text('pseudonym');
      if (kind === 'token.created' || kind === 'account.added') {
        if (held.size >= MAX_HOLDERS) return;
        const expires = Date.parse(text('expires'));
        held.set(`${kindOf} ${who}`, {
          kind: kindOf === 'token' ? 'token' : 'account',
          who,
          role: text('role'),
          team: text('team'),
          mounts: text('mounts'),
          from: when,
          ...(!Number.isNaN(expires) && { until: expires }),
          by: actor,
          signIns: 0,
        });
      }
      if (kind === 'token.revoked' || kind === 'account.disabled')
        at(`${kindOf} ${who}`, (one) =>
          // The first end counts: ending it again changed nothing.
          one.endedBy !== undefined || (one.until ?? when) < when ? one : { ...one, until: when, endedBy: actor },
        );
      if (kind === 'session.opened' && when >= from && when < to)
        at(`account ${actor}`, (one) => ({ ...one, signIns: one.signIns + 1, lastSignIn: when }));
    },
    result: () => [...held.values()].filter((one) => one.from < to && (one.until ?? Number.POSITIVE_INFINITY) > from),
  };
};
