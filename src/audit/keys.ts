import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WeighbridgeError } from '../errors.ts';
import { createVerifierKey, type VerifierKey } from '../merkle/checkpoint.ts';
import { createWitnessKey } from '../merkle/cosignature.ts';
import { sha256 } from './digest.ts';
import { writeWhole } from './whole-file.ts';

/** The key that signs checkpoints. */
export type Signer = { readonly key: VerifierKey; sign(text: string): Uint8Array };

const SIGNING_KEY = 'log.ed25519.pem';
const WITNESS_KEY = 'witness.ed25519.pem';
const PSEUDONYM_KEY = 'pseudonym.key';
const PUBLIC_KEY_BYTES = 32;

/**
 * The signing key in the folder `keys`; made at the first start. A missing key beside a log that exists is LOG_CORRUPT:
 * a new one would let a rewritten log pass for a fresh one.
 */
export const loadSigner = (keys: string, origin: string, logExists: boolean): Signer => {
  const path = join(keys, SIGNING_KEY);
  if (!existsSync(path)) {
    if (logExists) throw new WeighbridgeError('LOG_CORRUPT', `the log is there, its signing key ${path} is not`);
    const { privateKey } = generateKeyPairSync('ed25519');
    writeSecret(keys, path, privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
  }
  const privateKey = readKey(path);
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-PUBLIC_KEY_BYTES);
  return {
    key: createVerifierKey(origin, publicKey, sha256),
    sign: (text) => sign(null, Buffer.from(text), privateKey),
  };
};

/** The key of a witness called `name` in the folder `keys`; made when it is not there. */
export const loadWitness = (keys: string, name: string): Signer => {
  const path = join(keys, WITNESS_KEY);
  if (!existsSync(path)) {
    const { privateKey } = generateKeyPairSync('ed25519');
    writeSecret(keys, path, privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
  }
  const privateKey = readKey(path);
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-PUBLIC_KEY_BYTES);
  return {
    key: createWitnessKey(name, publicKey, sha256),
    sign: (text) => sign(null, Buffer.from(text), privateKey),
  };
};

/**
 * Makes pseudonyms: keyed, so that nobody without the key can try values out, and the same for the same value, so that
 * one person's requests can be counted. Deleting the key in `keys` makes all of them unlinkable.
 */
export const loadPseudonyms = (keys: string): ((value: string) => string) => {
  const path = join(keys, PSEUDONYM_KEY);
  if (!existsSync(path)) writeSecret(keys, path, `${randomBytes(32).toString('hex')}\n`);
  const secret = Buffer.from(readFileSync(path, 'utf8').trim(), 'hex');
  if (secret.length !== 32) throw new WeighbridgeError('LOG_CORRUPT', `${path} is no key of 64 hex digits`);
  return (value) => `p_${createHmac('sha256', secret).update(value).digest('hex').slice(0, 24)}`;
};

const readKey = (path: string): KeyObject => {
  try {
    const key = createPrivateKey(readFileSync(path));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (error) {
    throw new WeighbridgeError('LOG_CORRUPT', `${path} is no private key`, {}, { cause: error });
  }
  throw new WeighbridgeError('LOG_CORRUPT', `${path} is no Ed25519 key`);
};

const writeSecret = (folder: string, path: string, text: string): void => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeWhole(path, text, 0o600);
};
