import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { WeighbridgeError } from '../errors.ts';
import type { Tables } from '../store/tables.ts';
import type { Records } from '../store/types.ts';

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

const ALGORITHM = 'aes-256-gcm';
/** Bytes of a nonce: 96 bits at random, new for each of the few writes (NIST SP 800-38D section 8.2.2). */
const NONCE = 12;
const TAG = 16;
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
    unseal(key, place, value);
    kept.set(place, value);
  }
  return {
    get(upstream, team) {
      const place = placeOf(upstream, team);
      const sealed = kept.get(place);
      return sealed && unseal(key, place, sealed);
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

const seal = (key: Uint8Array, place: string, secret: string): string => {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG }).setAAD(Buffer.from(place));
  return Buffer.concat([nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64');
};

const unseal = (key: Uint8Array, place: string, { sealed }: Sealed): string => {
  const bytes = Buffer.from(sealed, 'base64');
  try {
    const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE), { authTagLength: TAG });
    decipher.setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(-TAG));
    return decipher.update(bytes.subarray(NONCE, -TAG), undefined, 'utf8') + decipher.final('utf8');
  } catch (error) {
    const message = `the credential ${place} cannot be decrypted: the key is not the one that it was stored with, or it was changed`;
    throw new WeighbridgeError('CONFIG_INVALID', message, {}, { cause: error });
  }
};
