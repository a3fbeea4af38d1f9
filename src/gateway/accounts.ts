import { WeighbridgeError } from '../errors.ts';
import type { PersonRole } from '../identity/roles.ts';
import type { Tables } from '../store/tables.ts';
import type { Records } from '../store/types.ts';

type Kept = Tables['account'];

/** An account as it may be shown. Times in ms since the epoch. */
export type ShownAccount = Omit<Kept, 'password'> & { readonly name: string };

/** People who sign in with a password that is kept here. */
export type Accounts = {
  /** With the hash of its password; also an account that has ended. */
  find(name: string): Kept | undefined;
  /** By name. */
  list(): readonly ShownAccount[];
  /** Throws REQUEST_INVALID when there is one of this name. `password` is its hash. */
  add(name: string, role: PersonRole, password: string, by: string): Promise<ShownAccount>;
  /** Sets the hash of a password, which ends the sessions opened before. Throws NOT_FOUND. */
  change(name: string, password: string): Promise<ShownAccount>;
  /** Gives an account another role, which its sessions have at once. Throws NOT_FOUND. */
  assign(name: string, role: PersonRole): Promise<ShownAccount>;
  /** Ends an account, and its sessions, from this moment on. Throws NOT_FOUND. A second time changes nothing. */
  disable(name: string): Promise<ShownAccount>;
};

/** Accounts of one machine: more people have a directory. */
const MAX_ACCOUNTS = 1_000;

/** Loads the accounts kept in `records`, of which nobody else may write the table. */
export const openAccounts = async (records: Records, now: () => number = Date.now): Promise<Accounts> => {
  const kept = new Map<string, Kept>();
  for (const { key, value } of await records.list('account', '', MAX_ACCOUNTS)) kept.set(key, value);

  const known = (name: string): Kept => {
    const account = kept.get(name);
    if (account === undefined) throw new WeighbridgeError('NOT_FOUND', `there is no account ${name}`);
    return account;
  };

  return {
    find: (name) => kept.get(name),
    list: () => [...kept].map(([name, account]) => show(name, account)).sort((a, b) => (a.name < b.name ? -1 : 1)),

    async add(name, role, password, by) {
      if (kept.has(name)) throw new WeighbridgeError('REQUEST_INVALID', `there is an account ${name} already`);
      if (kept.size >= MAX_ACCOUNTS)
        throw new WeighbridgeError('LIMIT_EXCEEDED', `there are ${MAX_ACCOUNTS} accounts already`);
      const account: Kept = { role, password, createdAt: now(), createdBy: by, changedAt: now() };
      await records.put('account', name, account, true);
      kept.set(name, account);
      return show(name, account);
    },

    async change(name, password) {
      const changed = { ...known(name), password, changedAt: now() };
      await records.put('account', name, changed, true);
      kept.set(name, changed);
      return show(name, changed);
    },

    async assign(name, role) {
      const assigned = { ...known(name), role };
      // A role that is taken away is in force before it is on the disk.
      kept.set(name, assigned);
      await records.put('account', name, assigned, true);
      return show(name, assigned);
    },

    async disable(name) {
      const account = known(name);
      const disabled = { ...account, disabledAt: account.disabledAt ?? now() };
      // In force before it is on the disk: a full disk must not keep somebody in.
      kept.set(name, disabled);
      await records.put('account', name, disabled, true);
      return show(name, disabled);
    },
  };
};

const show = (name: string, account: Kept): ShownAccount => {
  const { password: _, ...shown } = account;
  return { name, ...shown };
};
