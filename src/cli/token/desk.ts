import { z } from 'zod';
import type { Config } from '../../config.ts';
import { mountsFor } from '../../ecosystems/index.ts';
import {
  createToken,
  removeCredential,
  revokeToken,
  storeCredential,
  type TokenOffice,
} from '../../gateway/token-office.ts';
import { openTokens, type ShownToken } from '../../gateway/tokens.ts';
import { openVault, type ShownCredential } from '../../gateway/vault.ts';
import { ROLES } from '../../identity/roles.ts';
import type { WantedCredential, WantedToken } from '../../identity/terms.ts';
import { loadSecretKey } from '../../store/secret-key.ts';
import { HERE, openAlone } from '../desk/alone.ts';
import { openAsk } from '../desk/ask.ts';

/** Where tokens are asked for: the data folder when no gateway runs on it, else the running gateway. */
export type Desk = {
  create(wanted: WantedToken): Promise<{ readonly secret: string; readonly shown: ShownToken }>;
  list(): Promise<readonly ShownToken[]>;
  revoke(id: string): Promise<ShownToken>;
  store(wanted: WantedCredential & { readonly secret: string }): Promise<ShownCredential>;
  stored(): Promise<readonly ShownCredential[]>;
  forget(wanted: WantedCredential): Promise<unknown>;
  close(): Promise<void>;
};

/** A desk on the data folder of `config`; undefined while a gateway runs there. */
export const openHere = async (config: Config): Promise<Desk | undefined> => {
  const alone = await openAlone(config);
  if (alone === undefined) return undefined;
  const { close, log, records } = alone;
  try {
    const { vaultKey } = config.auth;
    const key = vaultKey === undefined ? loadSecretKey(config.data) : Buffer.from(vaultKey, 'hex');
    const kept = { tokens: await openTokens(records), vault: await openVault(records, key) };
    const office: TokenOffice = { ...kept, log, mounts: mountsFor(config) };
    return {
      create: (wanted) => createToken(office, wanted, HERE),
      list: async () => office.tokens.list(),
      revoke: (id) => revokeToken(office, id, HERE),
      store: (wanted) => storeCredential(office, wanted, HERE),
      stored: async () => office.vault.list(),
      forget: (wanted) => removeCredential(office, wanted, HERE),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
};

const text = z.string();
const shown = z.object({
  id: text,
  team: text,
  environment: text,
  role: z.enum(ROLES),
  scopes: z.array(text),
  note: text,
  createdAt: z.number(),
  createdBy: text,
  expiresAt: z.number().exactOptional(),
  revokedAt: z.number().exactOptional(),
});
const made = shown.extend({ token: text });
const listed = z.object({ tokens: z.array(shown) });
const credential = z.object({ upstream: text, team: text, at: z.number(), by: text });
const credentials = z.object({ credentials: z.array(credential) });

/** A desk at a running gateway; `token` is that of an admin. */
export const openRemote = (config: Config, gateway: string | undefined, token: string | undefined): Desk => {
  const { ask, close } = openAsk(config, gateway, token);
  return {
    async create(wanted) {
      const { token: secret, ...rest } = await ask(made, 'tokens', wanted);
      return { secret, shown: rest };
    },
    list: async () => (await ask(listed, 'tokens')).tokens,
    revoke: (id) => ask(shown, `tokens/${encodeURIComponent(id)}/revoke`, {}),
    store: (wanted) => ask(credential, 'credentials', wanted),
    stored: async () => (await ask(credentials, 'credentials')).credentials,
    forget: (wanted) => ask(z.object({}), 'credentials/remove', wanted),
    close,
  };
};
