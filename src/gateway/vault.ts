import { WeighbridgeError } from '../errors.ts';
import type { Tables } from '../store/tables.ts';
import type { Records } from '../store/types.ts';
import { seal, unseal } from './seal.ts';

/** Which credential there is, without what it is. Times in ms since the epoch. */
export type ShownCredential = {
  readonly upstream: string;
  readonly team: string;
  readonly at: number;
  readonly by: string;
};

/** The credentials that the gateway shows upstreams in the name of a team. */
export type Vault = {
  /** The credential of a team for an upstream. */
  get(upstream: string, team: string): string | undefined;
  set(upstream: string, team: string, secret: string, by: string): Promise<ShownCredential>;
  /** False when there was none. */
  remove(upstream: string, team: string): Promise<boolean>;
  list(): readonly ShownCredential[];
};

/** Teams times upstreams. */
const MAX_CREDENTIALS = 10_000;

type Sealed = Tables['credential'];

/**
 * Loads the credentials kept in `records`, encrypted with `key` (32 bytes). Each is bound to its place, so that nobody who
 * can write the file gives one team the credential of another. Rejects with CONFIG_INVALID when the key opens not all.
 */
export const openVault = async (records: Records, key: Uint8Array): Promise<Vault> => {
  const kept = new Map<string, Sealed>();
  for (const { key: place, value } of await records.list('credential', '', MAX_CREDENTIALS)) {
    opened(key, place, value);
    kept.set(place, value);
  }
  return {
    get(upstream, team) {
      const place = placeOf(upstream, team);
      const sealed = kept.get(place);
      return sealed && opened(key, place, sealed);
    },
    async set(upstream, team, secret, by) {
      const place = placeOf(upstream, team);
      if (kept.size >= MAX_CREDENTIALS && !kept.has(place))
        throw new WeighbridgeError('LIMIT_EXCEEDED', `there are ${MAX_CREDENTIALS} credentials already`);
      const sealed = { sealed: seal(key, place, secret), at: Date.now(), by };
      await records.put('credential', place, sealed, true);
      kept.set(place, sealed);
      return show(place, sealed);
    },
    async remove(upstream, team) {
      const place = placeOf(upstream, team);
      const known = kept.delete(place);
      if (known) await records.delete('credential', place);
      return known;
    },
    list: () => [...kept].map(([place, sealed]) => show(place, sealed)),
  };
};

const placeOf = (upstream: string, team: string): string => `${upstream}/${team}`;

const show = (place: string, { at, by }: Sealed): ShownCredential => {
  const [upstream = '', team = ''] = place.split('/');
  return { upstream, team, at, by };
};

const opened = (key: Uint8Array, place: string, { sealed }: Sealed): string => {
  const secret = unseal(key, place, sealed);
  if (secret !== undefined) return secret;
  const message = `the credential ${place} cannot be decrypted: the key is not the one that it was stored with, or it was changed`;
  throw new WeighbridgeError('CONFIG_INVALID', message);
};
