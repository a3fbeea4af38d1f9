import { join } from 'node:path';
import { z } from 'zod';
import { createAccessLog } from '../../audit/access-log.ts';
import { type Config, isLoopback } from '../../config.ts';
import { mountsFor } from '../../ecosystems/index.ts';
import { WeighbridgeError } from '../../errors.ts';
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
import { openRecordsAlone } from '../../store/store.ts';
import { createUpstream } from '../../upstream/upstream.ts';

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

/** How the log calls whoever works on the data folder itself. */
const HERE = { name: 'command line' };

/** A desk on the data folder of `config`; undefined while a gateway runs there. */
export const openHere = async (config: Config): Promise<Desk | undefined> => {
  const store = await openRecordsAlone(config.data);
  if (store === undefined) return undefined;
  const { records } = store;
  const remember = (pseudonym: string, value: string): void => {
    records.add('person', pseudonym, { value, at: Date.now() }).catch(() => undefined);
  };
  const closers: (() => Promise<void>)[] = [store.close];
  const close = async (): Promise<void> => {
    for (const step of closers.splice(0).reverse()) await step();
  };
  try {
    const directory = join(config.data, 'log');
    const log = await createAccessLog({ directory, origin: config.log.origin, remember });
    closers.push(log.close);
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
const fault = z.object({ error: text });

/** Where the gateway of these settings listens, as seen from this machine. */
const urlOf = ({ host, port, tls }: Config): string => {
  const near = isLoopback(host) ? host : '127.0.0.1';
  return `${tls === undefined ? 'http' : 'https'}://${near.includes(':') ? `[${near}]` : near}:${port}`;
};

/** A desk at a running gateway; `token` is that of an admin. */
export const openRemote = (config: Config, gateway: string | undefined, token: string | undefined): Desk => {
  const url = gateway ?? urlOf(config);
  // Once: a token that is asked for again is another one.
  const patience = { attempts: 1 };
  const origin = { url, ...(token !== undefined && { token }) };
  const upstream = createUpstream({ origin, allowPrivate: true, patience });
  const ask = async <T>(expected: z.ZodType<T>, path: string, body?: object): Promise<T> => {
    const answer = await upstream.request({
      url: `/api/v1/${path}`,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? { method: 'GET' } : { method: 'POST', body: JSON.stringify(body) }),
    });
    const json = parse(answer.body);
    const parsed = expected.safeParse(json);
    if (answer.status < 300 && parsed.success) return parsed.data;
    const why = fault.safeParse(json).data?.error ?? `status ${answer.status}`;
    throw new WeighbridgeError('REQUEST_INVALID', `the gateway at ${url} says: ${why}`);
  };
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
    close: upstream.close,
  };
};

const parse = (body: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return undefined;
  }
};
