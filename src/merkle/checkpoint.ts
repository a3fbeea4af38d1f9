import { WeighbridgeError } from '../errors.ts';
import { base64, fromBase64 } from './base64.ts';
import { DIGEST_BYTES } from './hash.ts';

/**
 * Checkpoints after C2SP tlog-checkpoint: three lines (origin, tree size, root in base64) signed as a C2SP signed-note,
 * that is, an empty line and then `— <name> base64(keyId ‖ signature)` lines, any number, unknown ones ignored.
 */
export type Checkpoint = { readonly origin: string; readonly size: number; readonly root: Uint8Array };

/** A public key as C2SP writes it: `name+keyid+base64(type ‖ key)`. Only Ed25519 (type 1) is understood. */
export type VerifierKey = { readonly name: string; readonly id: Uint8Array; readonly publicKey: Uint8Array };

/** Bytes of a note. A checkpoint has about 250; witnesses add 150 each. */
const MAX_NOTE = 16 * 1024;
const ED25519 = 1;
const PUBLIC_KEY_BYTES = 32;
const ID_BYTES = 4;

/** The signed text of a checkpoint, with its last line break. */
export const checkpointText = ({ origin, size, root }: Checkpoint): string => `${origin}\n${size}\n${base64(root)}\n`;

/** The whole note. `signature` is over the UTF-8 of `checkpointText`. */
export const formatNote = (text: string, key: VerifierKey, signature: Uint8Array): string =>
  `${text}\n— ${key.name} ${base64(Uint8Array.of(...key.id, ...signature))}\n`;

/** A signed note, taken apart but not verified. `text` ends with a line break. */
type SignedText = {
  readonly text: string;
  readonly signatures: readonly { readonly name: string; readonly id: Uint8Array; readonly signature: Uint8Array }[];
};
export type Note = SignedText & { readonly checkpoint: Checkpoint };

/** Checks an Ed25519 signature. */
type Verify = (publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array) => boolean;

/** Parses a note strictly; throws FORMAT_INVALID for anything else than a checkpoint with at least one signature line. */
export const parseNote = (note: string): Note => {
  const { text, signatures } = splitNote(note);
  const [origin = '', size = '', root = '', ...extensions] = text.slice(0, -1).split('\n');
  if (origin === '' || extensions.includes('')) malformed('no origin');
  if (!/^(0|[1-9]\d{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) malformed('no tree size');
  const digest = fromBase64(root);
  if (digest?.length !== DIGEST_BYTES) return malformed('no root hash');
  return { text, checkpoint: { origin, size: Number(size), root: digest }, signatures };
};

const splitNote = (note: string): SignedText => {
  const end = note.indexOf('\n\n');
  if (note.length > MAX_NOTE || end < 0 || !note.endsWith('\n') || /[^\P{Cc}\n]/u.test(note))
    malformed('no signed note');
  const text = note.slice(0, end + 1);
  const signatures = note
    .slice(end + 2, -1)
    .split('\n')
    .map(signatureLine);
  return { text, signatures };
};

const signatureLine = (line: string): SignedText['signatures'][number] => {
  const [, name, encoded] = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u.exec(line) ?? [];
  const bytes = encoded === undefined ? undefined : fromBase64(encoded);
  if (name === undefined || bytes === undefined || bytes.length <= ID_BYTES) return malformed('a wrong signature line');
  return { name, id: bytes.slice(0, ID_BYTES), signature: bytes.slice(ID_BYTES) };
};

/**
 * The checkpoint of a note that `key` has signed; undefined when it has not. `verify` checks an Ed25519 signature.
 * The origin must be the key's name, as C2SP asks, so that a key that signs two logs cannot swap them.
 */
export const openCheckpoint = (note: string, key: VerifierKey, verify: Verify): Checkpoint | undefined => {
  const { text, checkpoint, signatures } = parseNote(note);
  if (checkpoint.origin !== key.name) return undefined;
  return isSigned({ text, signatures }, key, verify) ? checkpoint : undefined;
};

/** The text of any note that `key` has signed; undefined when it has not. Throws FORMAT_INVALID for what is no note. */
export const openNote = (note: string, key: VerifierKey, verify: Verify): string | undefined => {
  const signed = splitNote(note);
  return isSigned(signed, key, verify) ? signed.text : undefined;
};

const isSigned = ({ text, signatures }: SignedText, key: VerifierKey, verify: Verify): boolean => {
  const bytes = new TextEncoder().encode(text);
  return signatures.some(
    ({ name, id, signature }) =>
      name === key.name && base64(id) === base64(key.id) && verify(key.publicKey, bytes, signature),
  );
};

/** The verifier key of an Ed25519 public key (32 bytes). `name` must have no space, no `+` and no control character. */
export const createVerifierKey = (
  name: string,
  publicKey: Uint8Array,
  sha256: (bytes: Uint8Array) => Uint8Array,
): VerifierKey => {
  if (!/^[^\s+\p{Cc}]{1,200}$/u.test(name)) malformed('no key name');
  if (publicKey.length !== PUBLIC_KEY_BYTES) malformed('no Ed25519 public key');
  const named = new TextEncoder().encode(`${name}\n`);
  return { name, publicKey, id: sha256(Uint8Array.of(...named, ED25519, ...publicKey)).slice(0, ID_BYTES) };
};

/** `name+keyid+base64`, as a person hands it on. */
export const formatVerifierKey = ({ name, id, publicKey }: VerifierKey): string =>
  `${name}+${hex(id)}+${base64(Uint8Array.of(ED25519, ...publicKey))}`;

/** Parses `name+keyid+base64`; throws FORMAT_INVALID also when the id does not belong to the key. */
export const parseVerifierKey = (text: string, sha256: (bytes: Uint8Array) => Uint8Array): VerifierKey => {
  const [, name, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u.exec(text.trim()) ?? [];
  const bytes = encoded === undefined ? undefined : fromBase64(encoded);
  if (name === undefined || bytes === undefined || bytes[0] !== ED25519) return malformed('no Ed25519 verifier key');
  const key = createVerifierKey(name, bytes.slice(1), sha256);
  return hex(key.id) === id ? key : malformed('a key id that does not belong to the key');
};

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

const malformed = (what: string): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `checkpoint or key malformed: ${what}`);
};
