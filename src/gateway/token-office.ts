import type { AccessLog, Entry } from '../audit/types.ts';
import { WeighbridgeError } from '../errors.ts';
import { checkCredential, checkTerms, type WantedCredential, type WantedToken } from '../identity/terms.ts';
import type { ShownToken, Tokens } from './tokens.ts';
import type { ShownCredential, Vault } from './vault.ts';

/** Where tokens are made and ended: in a running gateway, or by the command line when none runs. */
export type TokenOffice = {
  readonly tokens: Tokens;
  readonly vault: Vault;
  readonly log: AccessLog;
  /** Told of a token that has ended, by its pseudonym: its downloads end, too. */
  readonly ended?: (pseudonym: string) => void;
  /** Where each ecosystem is mounted. */
  readonly mounts: Readonly<Record<string, string>>;
};

/** The admin at work. */
export type ByWhom = { readonly name: string; readonly request?: Entry['request'] };

/** Makes a token, which is told to nobody unless the log has it. Throws REQUEST_INVALID for terms that no token can have. */
export const createToken = async (
  { tokens, log, mounts }: TokenOffice,
  wanted: WantedToken,
  by: ByWhom,
): ReturnType<Tokens['create']> => {
  const terms = checkTerms(wanted, mounts, Date.now());
  const made = await tokens.create(terms, log.pseudonym(by.name));
  await enter(log, 'token.created', made.shown, by);
  return made;
};

/** Ends a token at once. Throws NOT_FOUND when there is none of this id. */
export const revokeToken = async ({ tokens, log, ended }: TokenOffice, id: string, by: ByWhom): Promise<ShownToken> => {
  const revoked = await tokens.revoke(id).finally(() => ended?.(log.pseudonym(id)));
  if (revoked === undefined) throw new WeighbridgeError('NOT_FOUND', `there is no token ${id}`);
  await enter(log, 'token.revoked', revoked, by);
  return revoked;
};

/** Stores, or replaces, what an upstream is shown in the name of a team. Throws REQUEST_INVALID for what cannot be one. */
export const storeCredential = async (
  { vault, log, mounts }: TokenOffice,
  wanted: WantedCredential & { readonly secret?: string | undefined },
  by: ByWhom,
): Promise<ShownCredential> => {
  const { upstream, team } = checkCredential(wanted, mounts);
  const { secret = '' } = wanted;
  if (!SECRET.test(secret)) throw new WeighbridgeError('REQUEST_INVALID', 'secret: expected the token of the upstream');
  const shown = await vault.set(upstream, team, secret, log.pseudonym(by.name));
  await enterCredential(log, 'credential.stored', { upstream, team }, by);
  return shown;
};

/** Forgets such a credential. Throws NOT_FOUND when there is none. */
export const removeCredential = async (
  { vault, log, mounts }: TokenOffice,
  wanted: WantedCredential,
  by: ByWhom,
): Promise<{ readonly upstream: string; readonly team: string }> => {
  const place = checkCredential(wanted, mounts);
  if (!(await vault.remove(place.upstream, place.team)))
    throw new WeighbridgeError('NOT_FOUND', `the team ${place.team} has no credential for ${place.upstream}`);
  await enterCredential(log, 'credential.removed', place, by);
  return place;
};

/** Visible ASCII: it goes into a header. */
const SECRET = /^[\x21-\x7e]{1,4096}$/;

const enterCredential = async (
  log: AccessLog,
  kind: 'credential.stored' | 'credential.removed',
  detail: { readonly upstream: string; readonly team: string },
  { name, request }: ByWhom,
): Promise<void> => {
  await log.append({ kind, ...(request !== undefined && { request }), actor: log.pseudonym(name), detail });
};

const enter = async (
  log: AccessLog,
  kind: 'token.created' | 'token.revoked',
  { id, team, environment, role, scopes, expiresAt }: ShownToken,
  { name, request }: ByWhom,
): Promise<void> => {
  const expires = expiresAt === undefined ? 'never' : new Date(expiresAt).toISOString();
  await log.append({
    kind,
    ...(request !== undefined && { request }),
    actor: log.pseudonym(name),
    // The token is found again in what it asked for by its pseudonym.
    detail: { token: id, pseudonym: log.pseudonym(id), team, environment, role, mounts: scopes.join(' '), expires },
  });
};
