import { createPublicKey, hash, verify } from 'node:crypto';
import { createTreeHash } from '../merkle/hash.ts';

/** SHA-256 in one call: half the time of a hash object for inputs as small as these. */
export const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');

/** Tree hashing of the log. */
export const tree = createTreeHash(sha256);

/** What stands before the 32 bytes of an Ed25519 public key in its SubjectPublicKeyInfo (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** Whether `signature` over `text` is of the Ed25519 key `publicKey` (32 bytes). */
export const verifyEd25519 = (publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array): boolean => {
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
  return verify(null, text, key, signature);
};
