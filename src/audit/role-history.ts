import { WeighbridgeError } from '../errors.ts';
import type { LoggedEntry } from './entry.ts';

/** A role that somebody held, in ms since the epoch; without `until` it is held still. */
export type Held = {
  readonly kind: 'token' | 'account' | 'oidc';
  /** Pseudonym of the holder, as in the entries of what they did. */
  readonly who: string;
  readonly role: string;
  readonly team: string;
  readonly mounts: string;
  readonly from: number;
  readonly until?: number;
  /** What a directory called the person last, as a pseudonym. */
  readonly called?: string;
  /** Pseudonym of whoever gave it, and of whoever took it before its time; empty for roles that a directory gives. */
  readonly by: string;
  readonly endedBy?: string;
  /** Sign-ins of a person in the time that is asked about, and the newest of them. */
  readonly signIns: number;
  readonly lastSignIn?: number;
};

/** Roles held that are told apart: more than a gateway keeps tokens and accounts, and years of sign-ins. */
const MAX_HELD = 500_000;

/** Sessions of a person of a directory that are open: id and ms since the epoch when each ends at the latest. */
type OpenSessions = Map<string, number>;

/**
 * What entries say about who held which role, handed over in the order of the log, of the time from `from` to `to`. A person of
 * a directory holds a role while signed in with it: from the first sign-in to the end of the last session that was open then.
 * Throws LIMIT_EXCEEDED when that is too much for one report.
 */
export const createRoleHistory = (
  from: number,
  to: number,
): { add(entry: LoggedEntry): void; result(): readonly Held[] } => {
  const past: Held[] = [];
  const held = new Map<string, Held>();
  const open = new Map<string, OpenSessions>();

  const asked = (one: Held): boolean => one.from < to && (one.until ?? Number.POSITIVE_INFINITY) > from;
  /** What `key` held is over: it is told when it belongs to the time that is asked about. */
  const over = (key: string): void => {
    const one = held.get(key);
    held.delete(key);
    if (one !== undefined && asked(one)) past.push(one);
  };
  const begin = (key: string, one: Held): void => {
    over(key);
    if (held.size + past.length >= MAX_HELD)
      throw new WeighbridgeError('LIMIT_EXCEEDED', `more than ${MAX_HELD} roles were held: ask about a shorter time`);
    held.set(key, one);
  };
  const at = (key: string, change: (one: Held) => Held): void => {
    const one = held.get(key);
    if (one !== undefined) held.set(key, change(one));
  };
  // The first end counts: ending it again changed nothing.
  const end = (key: string, when: number, by: string): void =>
    at(key, (one) =>
      one.endedBy !== undefined || (one.until ?? when) < when ? one : { ...one, until: when, endedBy: by },
    );

  const given = ({ kind, time, actor = '', detail = {} }: LoggedEntry): void => {
    const text = (name: string): string => String(detail[name] ?? '');
    const kindOf = kind === 'token.created' ? 'token' : 'account';
    const [who, expires] = [text('pseudonym'), Date.parse(text('expires'))];
    begin(`${kindOf} ${who}`, {
      kind: kindOf,
      who,
      role: text('role'),
      team: text('team'),
      mounts: text('mounts'),
      from: Date.parse(time),
      ...(!Number.isNaN(expires) && { until: expires }),
      by: actor,
      signIns: 0,
    });
  };

  const assigned = ({ time, actor = '', detail = {} }: LoggedEntry): void => {
    const key = `account ${String(detail['pseudonym'] ?? '')}`;
    const [one, when] = [held.get(key), Date.parse(time)];
    if (one === undefined || one.endedBy !== undefined) return;
    end(key, when, actor);
    begin(key, { ...one, role: String(detail['role'] ?? ''), from: when, by: actor, signIns: 0 });
  };

  const cameIn = (key: string, { time, actor = '', detail = {} }: LoggedEntry): void => {
    const text = (name: string): string => String(detail[name] ?? '');
    const [when, role, known] = [Date.parse(time), text('role'), held.get(key)];
    const expires = Date.parse(text('expires'));
    const sessions: OpenSessions = known?.role === role ? (open.get(key) ?? new Map()) : new Map();
    for (const [id, until] of sessions) if (until <= when) sessions.delete(id);
    if (known === undefined || known.role !== role || (known.until ?? 0) <= when) {
      // Another role is that of the person from now on.
      if (known !== undefined && (known.until ?? 0) > when) held.set(key, { ...known, until: when });
      begin(key, { kind: 'oidc', who: actor, role, team: '', mounts: '', from: when, by: '', signIns: 0 });
    }
    sessions.set(text('session'), Number.isNaN(expires) ? when : expires);
    open.set(key, sessions);
    const called = text('called');
    const until = Math.max(...sessions.values());
    at(key, (one) => ({ ...one, until, ...(called !== '' && { called }) }));
  };

  const wentOut = (key: string, when: number, session: string): void => {
    const sessions = open.get(key);
    if (sessions?.delete(session) !== true) return;
    at(key, (one) => ({ ...one, until: Math.max(when, ...sessions.values()) }));
  };

  const signIn = (key: string, when: number): void => {
    if (when >= from && when < to) at(key, (one) => ({ ...one, signIns: one.signIns + 1, lastSignIn: when }));
  };

  return {
    add(entry) {
      const { kind, time, actor = '', detail = {} } = entry;
      const when = Date.parse(time);
      const key = `${detail['via'] === 'oidc' ? 'oidc' : 'account'} ${actor}`;
      const who = String(detail['pseudonym'] ?? '');
      if (kind === 'token.created' || kind === 'account.added') given(entry);
      else if (kind === 'account.assigned') assigned(entry);
      else if (kind === 'token.revoked') end(`token ${who}`, when, actor);
      else if (kind === 'account.disabled') end(`account ${who}`, when, actor);
      else if (kind === 'session.opened') {
        if (key.startsWith('oidc')) cameIn(key, entry);
        signIn(key, when);
      } else if (kind === 'session.closed') wentOut(key, when, String(detail['session'] ?? ''));
      // Whom the directory gives no role any more is signed in nowhere from then on.
      else if (kind === 'session.refused' && detail['status'] === 403 && open.delete(key))
        at(key, (one) => ({ ...one, until: Math.min(one.until ?? when, when) }));
    },
    result: () => [...past, ...held.values()].filter(asked).sort((a, b) => a.from - b.from),
  };
};
