import { createHash, createHmac, randomBytes } from 'node:crypto';
import { WeighbridgeError } from '../errors.ts';
import type { Identity } from '../identity/roles.ts';
import { API_SCOPE } from '../identity/terms.ts';
import type { Tables } from '../store/tables.ts';
import type { Records } from '../store/types.ts';
import type { Accounts } from './accounts.ts';

/** Bytes of chance in a session's secret: its plain sha256 is then as good a store of it as a slow hash. */
const SECRET_BYTES = 32;
/** ms without a request, and altogether, after which a person signs in again. */
const IDLE = 30 * 60_000;
export const SESSION_LIFE = 12 * 3_600_000;
/** ms between two notes of when a person was last here. */
const NOTED_EACH = 60_000;
/** Sessions altogether, and of one person: then the oldest ends. */
const MAX_SESSIONS = 10_000;
const MAX_OWN = 20;

type Kept = Tables['session'];

/** Somebody who has just proved who they are. */
export type Person = Pick<Kept, 'name' | 'role' | 'via' | 'shown' | 'anew'>;

/** One session of a person, as they may see it. Times are ms since the epoch. */
export type OwnSession = Pick<Kept, 'via' | 'createdAt' | 'seenAt'> & {
  /** As the log has it. */
  readonly id: string;
  readonly current: boolean;
  readonly expiresAt: number;
};

/** People who are signed in. */
export type Sessions = {
  /** Who holds this secret now; undefined when its time is over, or it never was one. */
  find(secret: string): Identity | undefined;
  /**
   * A new session: always a new secret, which is kept as a digest only. A role that a directory says anew is that of the person
   * from now on: sessions with another one end.
   */
  open(person: Person): Promise<string>;
  /** Ends the session of this secret from this moment on; tells how its holder had signed in. */
  close(secret: string): Promise<Kept['via'] | undefined>;
  /** Where whoever holds this secret is signed in, oldest first. */
  own(secret: string): readonly OwnSession[];
  /** Ends that session of the person who holds this secret, or without an id all of them; tells which have ended. */
  end(secret: string, id: string | undefined): Promise<readonly OwnSession[]>;
  /** Whether the directory saw the holder of this secret again, as asked, in the last `within` ms. */
  isAnew(secret: string, within: number): boolean;
  /** Ends every session of a person of the directory. */
  closeAll(name: string): Promise<void>;
};

/** What a page has to send along with whatever changes something: nobody who does not know the secret can tell it. */
export const forgeryToken = (secret: string): string =>
  createHmac('sha256', secret).update('weighbridge csrf').digest('base64url');

/** What the log knows a session by: nobody gets from it to the secret. */
export const sessionId = (secret: string): string => idOf(digestOf(secret));

/**
 * Loads the sessions kept in `records`, of which nobody else may write the table. Those of a directory count while `directory`, the
 * digest of its settings, is what it was.
 */
export const openSessions = async (
  records: Records,
  accounts: Accounts,
  now: () => number = Date.now,
  directory?: string,
): Promise<Sessions> => {
  const kept = new Map<string, Kept>();
  const noted = new Map<string, number>();

  const stands = ({ name, via, createdAt, seenAt, ...session }: Kept): boolean => {
    const time = now();
    // A clock that was put back makes no session longer.
    if (time < createdAt - NOTED_EACH || time >= createdAt + SESSION_LIFE || time >= seenAt + IDLE) return false;
    if (via === 'oidc') return session.directory === directory;
    const account = accounts.find(name);
    return account !== undefined && account.disabledAt === undefined && createdAt >= account.changedAt;
  };
  const forget = async (digest: string): Promise<void> => {
    kept.delete(digest);
    noted.delete(digest);
    await records.delete('session', digest);
  };
  const closeThose = async (which: (session: Kept) => boolean): Promise<void> => {
    const those = [...kept].filter(([, session]) => which(session));
    // All at once, before the disk is waited for.
    await Promise.all(those.map(([digest]) => forget(digest)));
  };
  const ownOf = (secret: string): readonly (readonly [digest: string, shown: OwnSession])[] => {
    const here = digestOf(secret);
    const mine = kept.get(here);
    if (mine === undefined || !stands(mine)) return [];
    return [...kept]
      .filter(([, one]) => one.name === mine.name && one.via === mine.via && stands(one))
      .map(([digest, { createdAt, seenAt, via }]) => {
        const expiresAt = Math.min(createdAt + SESSION_LIFE, seenAt + IDLE);
        return [digest, { id: idOf(digest), current: digest === here, via, createdAt, seenAt, expiresAt }] as const;
      })
      .sort(([, first], [, second]) => first.createdAt - second.createdAt);
  };
  const sweep = (): Promise<void> => closeThose((session) => !stands(session));

  for (const { key, value } of await records.list('session', '', MAX_SESSIONS)) kept.set(key, value);
  await sweep();

  return {
    find(secret) {
      const digest = digestOf(secret);
      const session = kept.get(digest);
      if (session === undefined || !stands(session)) return undefined;
      const seen = { ...session, seenAt: now() };
      kept.set(digest, seen);
      if (now() - (noted.get(digest) ?? session.createdAt) >= NOTED_EACH) {
        noted.set(digest, now());
        // Nobody waits: a note that is lost ends a session too early.
        records.put('session', digest, seen).catch(() => undefined);
      }
      const role = (session.via === 'account' ? accounts.find(session.name)?.role : undefined) ?? session.role;
      // A browser works on the API; what pipelines load is loaded with tokens.
      const { name, shown } = session;
      return { name, team: '', environment: '', role, scopes: [API_SCOPE], ...(shown !== undefined && { shown }) };
    },

    async open(person) {
      const { name, role, via } = person;
      await sweep();
      if (via === 'oidc') await closeThose((one) => one.name === name && one.via === via && one.role !== role);
      if (kept.size >= MAX_SESSIONS) throw new WeighbridgeError('RATE_LIMITED', 'too many people are signed in');
      const own = [...kept].filter(([, session]) => session.name === name && session.via === via);
      for (const [digest] of own.slice(0, Math.max(0, own.length - MAX_OWN + 1))) await forget(digest);
      const secret = randomBytes(SECRET_BYTES).toString('base64url');
      const times = { createdAt: now(), seenAt: now() };
      const session: Kept = { ...person, ...times, ...(via === 'oidc' && directory !== undefined && { directory }) };
      await records.put('session', digestOf(secret), session, true);
      kept.set(digestOf(secret), session);
      return secret;
    },

    async close(secret) {
      const via = kept.get(digestOf(secret))?.via;
      await forget(digestOf(secret));
      return via;
    },

    own: (secret) => ownOf(secret).map(([, shown]) => shown),

    async end(secret, id) {
      const those = ownOf(secret).filter(([, shown]) => id === undefined || shown.id === id);
      await Promise.all(those.map(([digest]) => forget(digest)));
      return those.map(([, shown]) => shown);
    },

    isAnew(secret, within) {
      const session = kept.get(digestOf(secret));
      return session?.anew === true && stands(session) && now() - session.createdAt < within;
    },

    closeAll: (name) => closeThose((one) => one.name === name && one.via === 'oidc'),
  };
};

const idOf = (digest: string): string => digest.slice(0, 16);

const digestOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');
