import type { AccessLog, Entry } from '../audit/types.ts';
import { WeighbridgeError } from '../errors.ts';
import { checkTerms, type WantedToken } from '../identity/terms.ts';
import type { ShownToken, Tokens } from './tokens.ts';

/** Where tokens are made and ended: in a running gateway, or by the command line when none runs. */
export type TokenOffice = {
  readonly tokens: Tokens;
  readonly log: AccessLog;
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
export const revokeToken = async ({ tokens, log }: TokenOffice, id: string, by: ByWhom): Promise<ShownToken> => {
  const revoked = await tokens.revoke(id);
  if (revoked === undefined) throw new WeighbridgeError('NOT_FOUND', `there is no token ${id}`);
  await enter(log, 'token.revoked', revoked, by);
  return revoked;
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
