import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { z } from 'zod';
import { WeighbridgeError } from '../errors.ts';

/** Digests of one list; feeds of malicious models have some thousands. */
const MAX_DIGESTS = 500_000;
/** Characters of a name and of a source. */
const MAX_TEXT_CHARACTERS = 300;
/** Problems that are told of one list. */
const MAX_PROBLEMS = 5;
const SIGNATURE_BYTES = 64;

const text = z.string().min(1).max(MAX_TEXT_CHARACTERS);
const schema = z.strictObject({
  issued: z.iso.datetime({ error: 'expected a time such as 2026-01-31T12:00:00Z' }),
  digests: z
    .array(
      z.strictObject({
        sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected a sha256 in lower-case hexadecimal'),
        name: text,
        source: text,
      }),
    )
    .max(MAX_DIGESTS),
});

/** What a list says of a digest: a name for it, and who knows. */
export type BadDigest = { readonly name: string; readonly source: string };
/** Finds a digest in the list in force. */
export type KnownBadLookup = (sha256: string) => BadDigest | undefined;

/** A list whose signature was found good. */
export type KnownBadList = {
  /** sha256 of the list's bytes. */
  readonly digest: string;
  /** ms since the epoch. */
  readonly issued: number;
  readonly entries: ReadonlyMap<string, BadDigest>;
};

/** An Ed25519 public key as PEM. Throws POLICY_INVALID for anything else. */
export const readListKey = (pem: string): KeyObject => {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (error) {
    throw invalid('the key of the known-bad list cannot be read: expected an Ed25519 public key as PEM', error);
  }
  throw invalid('the key of the known-bad list is no Ed25519 key');
};

/**
 * Checks the detached signature (Ed25519, RFC 8032; 64 bytes, or those in base64) over the list's bytes, and only then
 * reads them. Throws POLICY_INVALID.
 */
export const openKnownBad = (list: Uint8Array, signature: Uint8Array, key: KeyObject): KnownBadList => {
  const bytes = signature.length === SIGNATURE_BYTES ? signature : fromBase64(signature);
  if (bytes.length !== SIGNATURE_BYTES || !verify(null, list, key, bytes)) {
    throw invalid('the signature of the known-bad list is not that of its key');
  }
  const parsed = schema.safeParse(parse(list));
  if (!parsed.success) {
    const problems = parsed.error.issues.slice(0, MAX_PROBLEMS);
    throw invalid(
      `the known-bad list: ${problems.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`,
    );
  }
  const { issued, digests } = parsed.data;
  return {
    digest: createHash('sha256').update(list).digest('hex'),
    issued: Date.parse(issued),
    entries: new Map(digests.map(({ sha256, name, source }) => [sha256, { name, source }])),
  };
};

const fromBase64 = (signature: Uint8Array): Uint8Array => {
  const written = Buffer.from(signature.subarray(0, 2 * SIGNATURE_BYTES))
    .toString('latin1')
    .trim();
  return /^[A-Za-z0-9+/]+=*$/.test(written) ? Buffer.from(written, 'base64') : new Uint8Array();
};

const parse = (list: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(list));
  } catch (error) {
    throw invalid('the known-bad list is no JSON', error);
  }
};

const invalid = (message: string, cause?: unknown): WeighbridgeError =>
  new WeighbridgeError('POLICY_INVALID', message, {}, { cause });
