import { createHash, createHmac, randomBytes } from 'node:crypto';
import { WeighbridgeError } from '../errors.ts';
import type { Identity, PersonRole } from '../identity/roles.ts';
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
export type Person = { readonly name: string; readonly role: PersonRole; readonly via: Kept['via'] };

/** People who are signed in. */
export type Sessions = {
  /** Who holds this secret now; undefined when its time is over, or it never was one. */
  find(secret: string): Identity | undefined;
  /** A new session: always a new secret, which is kept as a digest only. */
  open(person: Person): Promise<string>;
  /** Ends the session of this secret from this moment on. */
  close(secret: string): Promise<void>;
};

/** What a page has to send along with whatever changes something: nobody who does not know the secret can tell it. */
export const forgeryToken = (secret: string): string =>
  createHmac('sha256', secret).update('weighbridge csrf').digest('base64url');

/** Loads the sessions kept in `records`, of which nobody else may write the table. */
export const openSessions = async (
  records: Records,
  accounts: Accounts,
  now: () => number = Date.now,
): Promise<Sessions> => {
  const kept = new Map<string, Kept>();
  const noted = new Map<string, number>();

  const stands = ({ name, via, createdAt, seenAt }: Kept): boolean => {
    const time = now();
    // A clock that was put back makes no session longer.
    if (time < createdAt - NOTED_EACH || time >= createdAt + SESSION_LIFE || time >= seenAt + IDLE) return false;
    if (via === 'oidc') return true;
    const account = accounts.find(name);
    return account !== undefined && account.disabledAt === undefined && createdAt >= account.changedAt;
  };
  const forget = async (digest: string): Promise<void> => {
    kept.delete(digest);
    noted.delete(digest);
    await records.delete('session', digest);
  };
  const sweep = async (): Promise<void> => {
    for (const [digest, session] of kept) if (!stands(session)) await forget(digest);
  };

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
      return { name: session.name, team: '', environment: '', role, scopes: [API_SCOPE] };
    },

    async open({ name, role, via }) {
      await sweep();
      if (kept.size >= MAX_SESSIONS) throw new WeighbridgeError('RATE_LIMITED', 'too many people are signed in');
      const own = [...kept].filter(([, session]) => session.name === name && session.via === via);
      for (const [digest] of own.slice(0, Math.max(0, own.length - MAX_OWN + 1))) await forget(digest);
      const secret = randomBytes(SECRET_BYTES).toString('base64url');
      const session: Kept = { name, role, via, createdAt: now(), seenAt: now() };
      await records.put('session', digestOf(secret), session, true);
      kept.set(digestOf(secret), session);
      return secret;
    },

    close: (secret) => forget(digestOf(secret)),
  };
};

const digestOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');
