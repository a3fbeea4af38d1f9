import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { z } from 'zod';
import { WeighbridgeError } from '../errors.ts';

/** Signatures of one set. */
const MAX_SIGNATURES = 100;
/** Hex digits of a key's id. */
const ID_DIGITS = 16;

const schema = z.strictObject({
  version: z.literal(1),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  signatures: z
    .array(z.strictObject({ key: z.string(), issued: z.iso.datetime(), signature: z.base64() }))
    .max(MAX_SIGNATURES),
});

type Signatures = z.infer<typeof schema>;

/** Public keys as PEM by the names of the people who have them, and how many of these must have signed. */
export type Signing = { readonly signers: Readonly<Record<string, string>>; readonly needed: number };

/** Who signed a set, and when the last of them did, ms since the epoch. */
export type Signed = { readonly signers: readonly string[]; readonly issued: number };

const invalid = (message: string, cause?: unknown): WeighbridgeError =>
  new WeighbridgeError('POLICY_INVALID', message, {}, cause === undefined ? undefined : { cause });

/** What is signed: not the digest alone, so that a signature for something else is none for policies. */
const messageOf = (digest: string, issued: string): Uint8Array =>
  new TextEncoder().encode(`weighbridge policies v1\n${digest}\n${issued}\n`);

const idOf = (key: KeyObject): string =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, ID_DIGITS);

const parse = (text: string): Signatures => {
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
    throw invalid(`the signatures of the policies are not as expected: ${z.prettifyError(parsed.error)}`);
  } catch (error) {
    throw error instanceof WeighbridgeError ? error : invalid('the signatures of the policies are not JSON', error);
  }
};

const readPublic = (name: string, pem: string): KeyObject => {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (error) {
    throw invalid(`the key of the signer ${name} is no public key`, error);
  }
  throw invalid(`the key of the signer ${name} is not Ed25519`);
};

/**
 * Who of `signers` signed the set of this digest. Throws POLICY_INVALID when fewer than needed did; `text` is the content of
 * the file of signatures, undefined when there is none. Signatures of strangers count for nothing.
 */
export const checkSignatures = (digest: string, text: string | undefined, { signers, needed }: Signing): Signed => {
  const keys = Object.entries(signers).map(([name, pem]) => ({ name, key: readPublic(name, pem) }));
  const wanted = `${needed} of ${Object.keys(signers).join(', ')} must have signed the policies (digest ${digest})`;
  if (text === undefined) throw invalid(`${wanted}; there are no signatures`);
  const found = parse(text);
  if (found.digest !== digest) throw invalid(`${wanted}; what was signed has the digest ${found.digest}`);
  const good = keys.flatMap(({ name, key }) => {
    const id = idOf(key);
    const times = found.signatures
      .filter((one) => one.key === id)
      .filter(({ issued, signature }) => verify(null, messageOf(digest, issued), key, Buffer.from(signature, 'base64')))
      .map(({ issued }) => Date.parse(issued));
    return times.length === 0 ? [] : [{ name, id, issued: Math.max(...times) }];
  });
  // Two names for one key are one person.
  const people = new Set(good.map(({ id }) => id));
  const names = good.map(({ name }) => name);
  if (people.size < needed) throw invalid(`${wanted}; ${names.join(', ') || 'nobody'} has`);
  return { signers: names, issued: Math.max(...good.map(({ issued }) => issued)) };
};

/** The file of signatures with one more, of the private key `pem`; those of another set are left behind. */
export const addSignature = (
  digest: string,
  before: string | undefined,
  pem: string,
  now: number,
): { readonly text: string; readonly key: string } => {
  let secret: KeyObject;
  try {
    secret = createPrivateKey(pem);
  } catch (error) {
    throw invalid('the key is no private key in PEM', error);
  }
  if (secret.asymmetricKeyType !== 'ed25519') throw invalid('the key is not Ed25519');
  const key = idOf(createPublicKey(secret));
  const issued = new Date(now).toISOString();
  const signature = sign(null, messageOf(digest, issued), secret).toString('base64');
  const kept = before === undefined ? undefined : parse(before);
  const others = kept?.digest === digest ? kept.signatures.filter((one) => one.key !== key) : [];
  const file: Signatures = { version: 1, digest, signatures: [...others, { key, issued, signature }] };
  return { text: `${JSON.stringify(file, null, 2)}\n`, key };
};
