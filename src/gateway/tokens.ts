import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { WeighbridgeError } from '../errors.ts';
import type { Identity } from '../identity/roles.ts';
import type { TokenTerms } from '../identity/terms.ts';
import { SECRET_BYTES, writeToken } from '../identity/token-form.ts';
import type { Tables } from '../store/tables.ts';
import type { Records } from '../store/types.ts';

/** A token as it may be shown: everything but what would let one in. Times in ms since the epoch. */
export type ShownToken = TokenTerms & {
  readonly id: string;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly revokedAt?: number;
};

export type FoundToken =
  | { readonly state: 'live'; readonly identity: Identity }
  | { readonly state: 'revoked' | 'expired' | 'unknown'; readonly id?: string };

/** The tokens that this gateway made. */
export type Tokens = {
  /** Who a presented secret lets in, decided now. */
  find(presented: string): FoundToken;
  /** Makes a token. Its `secret` is in no other place: it cannot be shown again. */
  create(terms: TokenTerms, by: string): Promise<{ readonly secret: string; readonly shown: ShownToken }>;
  /** All of them, the newest first. */
  list(): readonly ShownToken[];
  /** Ends a token from this moment on; undefined when there is none of this id. A second time changes nothing. */
  revoke(id: string): Promise<ShownToken | undefined>;
};

/** Tokens kept, also those that have ended: a second of reading at the start. */
const MAX_TOKENS = 100_000;
const PAGE = 1_000;

type Kept = Tables['token'];

/** Loads the tokens kept in `records`, of which nobody else may write the table. */
export const openTokens = async (records: Records, now: () => number = Date.now): Promise<Tokens> => {
  const kept = new Map<string, Kept>();
  const byDigest = new Map<string, string>();
  const remember = (id: string, token: Kept): void => {
    kept.set(id, token);
    byDigest.set(token.sha256, id);
  };
  for (let after = ''; ; ) {
    const page = await records.list('token', '', PAGE, after);
    for (const { key, value } of page) remember(key, value);
    after = page.at(-1)?.key ?? '';
    if (page.length < PAGE) break;
  }

  return {
    find(presented) {
      const digest = createHash('sha256').update(presented).digest();
      const id = byDigest.get(digest.toString('hex')) ?? '';
      const token = kept.get(id);
      // Looked up by digest, whose bytes nobody who guesses can steer; compared in constant time all the same.
      if (token === undefined || !timingSafeEqual(digest, Buffer.from(token.sha256, 'hex')))
        return { state: 'unknown' };
      if (token.revokedAt !== undefined) return { state: 'revoked', id };
      if (token.expiresAt !== undefined && token.expiresAt <= now()) return { state: 'expired', id };
      const { team, environment, role, scopes } = token;
      return { state: 'live', identity: { name: id, team, environment, role, scopes } };
    },

    async create(terms, by) {
      if (kept.size >= MAX_TOKENS)
        throw new WeighbridgeError('LIMIT_EXCEEDED', `there are ${MAX_TOKENS} tokens already`);
      const secret = writeToken(randomBytes(SECRET_BYTES));
      const sha256 = createHash('sha256').update(secret).digest('hex');
      const id = `t-${randomBytes(8).toString('hex')}`;
      const token: Kept = { ...terms, sha256, createdAt: now(), createdBy: by };
      await records.put('token', id, token, true);
      remember(id, token);
      return { secret, shown: show(id, token) };
    },

    list: () => [...kept].map(([id, token]) => show(id, token)).sort((a, b) => b.createdAt - a.createdAt),

    async revoke(id) {
      const token = kept.get(id);
      if (token === undefined) return undefined;
      const revoked = { ...token, revokedAt: token.revokedAt ?? now() };
      // In force before it is on the disk: a full disk must not keep a leaked token alive.
      kept.set(id, revoked);
      await records.put('token', id, revoked, true);
      return show(id, revoked);
    },
  };
};

const show = (id: string, token: Kept): ShownToken => {
  const { sha256: _, ...shown } = token;
  return { id, ...shown };
};
