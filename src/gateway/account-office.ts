import type { AccessLog, Entry } from '../audit/types.ts';
import { WeighbridgeError } from '../errors.ts';
import { checkAccount, checkPassword, checkRole } from '../identity/accounts.ts';
import type { Identity } from '../identity/roles.ts';
import type { Accounts, ShownAccount } from './accounts.ts';
import { hashPassword, isPassword } from './passwords.ts';
import { type Person, SESSION_LIFE, type Sessions, sessionId } from './sessions.ts';
import type { ByWhom } from './token-office.ts';

/** Where accounts are made and ended: in a running gateway, or by the command line when none runs. */
export type AccountOffice = { readonly accounts: Accounts; readonly log: AccessLog };

/** The same, and where people sign in. */
export type SignInOffice = AccountOffice & { readonly sessions: Sessions };

/** Makes an account. Throws REQUEST_INVALID for what cannot be one. */
export const addAccount = async (
  { accounts, log }: AccountOffice,
  wanted: { readonly name: string; readonly role: string; readonly password: string },
  by: ByWhom,
): Promise<ShownAccount> => {
  const { name, role } = checkAccount(wanted.name, wanted.role);
  checkPassword(wanted.password, name);
  const made = await accounts.add(name, role, await hashPassword(wanted.password), log.pseudonym(by.name));
  await enter(log, 'account.added', made, by);
  return made;
};

/** Gives an account another password, which signs its owner out everywhere. Throws NOT_FOUND or REQUEST_INVALID. */
export const changePassword = async (
  { accounts, log }: AccountOffice,
  name: string,
  password: string,
  by: ByWhom,
): Promise<ShownAccount> => {
  checkPassword(password, name);
  const changed = await accounts.change(name, await hashPassword(password));
  await enter(log, 'account.changed', changed, by);
  return changed;
};

/** Gives an account another role, at once also where its owner is signed in. Throws NOT_FOUND or REQUEST_INVALID. */
export const changeRole = async (
  { accounts, log }: AccountOffice,
  name: string,
  wanted: string,
  by: ByWhom,
): Promise<ShownAccount> => {
  const role = checkRole(wanted);
  const account = accounts.find(name);
  if (account === undefined) throw new WeighbridgeError('NOT_FOUND', `there is no account ${name}`);
  if (account.disabledAt !== undefined) throw new WeighbridgeError('REQUEST_INVALID', `the account ${name} has ended`);
  // In the log first: nobody has a role that it does not know of.
  await log.append({
    kind: 'account.assigned',
    ...(by.request !== undefined && { request: by.request }),
    actor: log.pseudonym(by.name),
    detail: { pseudonym: log.pseudonym(name), role, before: account.role },
  });
  return accounts.assign(name, role);
};

/** Ends an account and its sessions at once. Throws NOT_FOUND. */
export const disableAccount = async (
  { accounts, log }: AccountOffice,
  name: string,
  by: ByWhom,
): Promise<ShownAccount> => {
  const disabled = await accounts.disable(name);
  await enter(log, 'account.disabled', disabled, by);
  return disabled;
};

/**
 * The person with this name and password. Throws UNAUTHENTICATED in the same words and time whatever was wrong. What was
 * typed as a name may be a password: only that of an account is named in the fault's details.
 */
export const recognise = async ({ accounts }: AccountOffice, name: string, password: string): Promise<Person> => {
  const account = accounts.find(name);
  const right = await isPassword(password, account?.password);
  // Asked again: it may have ended meanwhile.
  if (right && account !== undefined && accounts.find(name) === account && account.disabledAt === undefined)
    return { name, role: account.role, via: 'account' };
  throw new WeighbridgeError('UNAUTHENTICATED', 'name or password is not right, or the account has ended', {
    signIn: 'account',
    ...(account !== undefined && { account: name }),
  });
};

/** Signs a person in. The session's secret is told to nobody unless the log has it. */
export const signIn = async (
  { sessions, log }: SignInOffice,
  person: Person,
  request: Entry['request'],
): Promise<string> => {
  const secret = await sessions.open(person);
  const expires = new Date(Date.now() + SESSION_LIFE).toISOString();
  const { name, role, shown, via } = person;
  const called = shown === undefined ? {} : { called: log.pseudonym(shown) };
  await log.append({
    kind: 'session.opened',
    ...(request !== undefined && { request }),
    actor: log.pseudonym(name),
    detail: { via, role, session: sessionId(secret), expires, ...called },
  });
  return secret;
};

/** Signs the holder of this session out; tells how they had signed in. */
export const signOut = async (
  { sessions, log }: SignInOffice,
  secret: string,
  { name, role }: Identity,
  request: Entry['request'],
): Promise<Person['via'] | undefined> => {
  const via = await sessions.close(secret);
  await log.append({
    kind: 'session.closed',
    ...(request !== undefined && { request }),
    actor: log.pseudonym(name),
    detail: { role, session: sessionId(secret), ...(via !== undefined && { via }) },
  });
  return via;
};

/** Ends that session of whoever holds this one, or without an id all of them; tells their ids. Throws NOT_FOUND. */
export const endSessions = async (
  { sessions, log }: SignInOffice,
  secret: string,
  id: string | undefined,
  { name, role }: Identity,
  request: Entry['request'],
): Promise<readonly string[]> => {
  const ended = await sessions.end(secret, id);
  if (ended.length === 0)
    throw new WeighbridgeError('NOT_FOUND', 'there is no such session of yours: it may have ended');
  for (const { id: session, via } of ended)
    await log.append({
      kind: 'session.closed',
      ...(request !== undefined && { request }),
      actor: log.pseudonym(name),
      detail: { role, session, via, by: sessionId(secret) },
    });
  return ended.map((one) => one.id);
};

const enter = async (
  log: AccessLog,
  kind: 'account.added' | 'account.changed' | 'account.disabled',
  { name, role }: ShownAccount,
  by: ByWhom,
): Promise<void> => {
  await log.append({
    kind,
    ...(by.request !== undefined && { request: by.request }),
    actor: log.pseudonym(by.name),
    detail: { pseudonym: log.pseudonym(name), role },
  });
};
