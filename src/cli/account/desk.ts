import { z } from 'zod';
import type { Config } from '../../config.ts';
import {
  type AccountOffice,
  addAccount,
  changePassword,
  changeRole,
  disableAccount,
} from '../../gateway/account-office.ts';
import { openAccounts, type ShownAccount } from '../../gateway/accounts.ts';
import { PERSON_ROLES } from '../../identity/roles.ts';
import { HERE, openAlone } from '../desk/alone.ts';
import { openAsk } from '../desk/ask.ts';

/** Where accounts are kept: the data folder when no gateway runs on it, else the running gateway. */
export type Desk = {
  add(name: string, role: string, password: string): Promise<ShownAccount>;
  list(): Promise<readonly ShownAccount[]>;
  change(name: string, password: string): Promise<ShownAccount>;
  assign(name: string, role: string): Promise<ShownAccount>;
  disable(name: string): Promise<ShownAccount>;
  close(): Promise<void>;
};

/** A desk on the data folder of `config`; undefined while a gateway runs there. */
export const openHere = async (config: Config): Promise<Desk | undefined> => {
  const alone = await openAlone(config);
  if (alone === undefined) return undefined;
  const { close, log, records } = alone;
  try {
    const office: AccountOffice = { accounts: await openAccounts(records), log };
    return {
      add: (name, role, password) => addAccount(office, { name, role, password }, HERE),
      list: async () => office.accounts.list(),
      change: (name, password) => changePassword(office, name, password, HERE),
      assign: (name, role) => changeRole(office, name, role, HERE),
      disable: (name) => disableAccount(office, name, HERE),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
};

const shown = z.object({
  name: z.string(),
  role: z.enum(PERSON_ROLES),
  createdAt: z.number(),
  createdBy: z.string(),
  changedAt: z.number(),
  disabledAt: z.number().exactOptional(),
});
const listed = z.object({ accounts: z.array(shown) });

/** A desk at a running gateway; `token` is that of an admin. */
export const openRemote = (config: Config, gateway: string | undefined, token: string | undefined): Desk => {
  const { ask, close } = openAsk(config, gateway, token);
  const at = (name: string): string => `accounts/${encodeURIComponent(name)}`;
  return {
    add: (name, role, password) => ask(shown, 'accounts', { name, role, password }),
    list: async () => (await ask(listed, 'accounts')).accounts,
    change: (name, password) => ask(shown, `${at(name)}/password`, { password }),
    assign: (name, role) => ask(shown, `${at(name)}/role`, { role }),
    disable: (name) => ask(shown, `${at(name)}/disable`, {}),
    close,
  };
};
