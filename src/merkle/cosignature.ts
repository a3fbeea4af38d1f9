import { WeighbridgeError } from '../errors.ts';
import { base64, fromBase64 } from './base64.ts';
import { parseNote, type VerifierKey } from './checkpoint.ts';

/** The signature type of a witness's cosignature in key ids and verifier keys (C2SP tlog-cosignature, Ed25519). */
const COSIGNATURE = 4;
const PUBLIC_KEY_BYTES = 32;
const ID_BYTES = 4;
const TIME_BYTES = 8;

/** What a witness signs: that it saw this checkpoint at `time`, in seconds since the epoch, and none that contradicts it. */
export const cosignedText = (time: number, text: string): string => `cosignature/v1\ntime ${time}\n${text}`;

/** The signature line that a witness adds to a checkpoint, with its line break. */
export const cosignatureLine = ({ id, name }: VerifierKey, time: number, signature: Uint8Array): string => {
  const stamp = new Uint8Array(TIME_BYTES);
  new DataView(stamp.buffer).setBigUint64(0, BigInt(time));
  return `— ${name} ${base64(Uint8Array.of(...id, ...stamp, ...signature))}\n`;
};

/** When the witness `key` saw the checkpoint of a note, in seconds; undefined when it has not signed it. */
export const cosignedAt = (
  note: string,
  key: VerifierKey,
  verify: (publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array) => boolean,
): number | undefined => {
  const { signatures, text } = parseNote(note);
  for (const { id, name, signature } of signatures) {
    if (name !== key.name || base64(id) !== base64(key.id) || signature.length <= TIME_BYTES) continue;
    const time = Number(new DataView(signature.buffer, signature.byteOffset).getBigUint64(0));
    const signed = new TextEncoder().encode(cosignedText(time, text));
    if (verify(key.publicKey, signed, signature.slice(TIME_BYTES))) return time;
  }
  return undefined;
};

/** The key of a witness from its Ed25519 public key (32 bytes). */
export const createWitnessKey = (
  name: string,
  publicKey: Uint8Array,
  sha256: (bytes: Uint8Array) => Uint8Array,
): VerifierKey => {
  if (!/^[^\s+\p{Cc}]{1,200}$/u.test(name) || publicKey.length !== PUBLIC_KEY_BYTES) throw malformed();
  const named = new TextEncoder().encode(`${name}\n`);
  return { name, publicKey, id: sha256(Uint8Array.of(...named, COSIGNATURE, ...publicKey)).slice(0, ID_BYTES) };
};

/** `name+keyid+base64`, as a person hands it on. */
export const formatWitnessKey = ({ id, name, publicKey }: VerifierKey): string =>
  `${name}+${hex(id)}+${base64(Uint8Array.of(COSIGNATURE, ...publicKey))}`;

/** Parses that; throws FORMAT_INVALID also when the id does not belong to the key. */
export const parseWitnessKey = (text: string, sha256: (bytes: Uint8Array) => Uint8Array): VerifierKey => {
  const [, name = '', id, encoded = ''] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u.exec(text.trim()) ?? [];
  const bytes = fromBase64(encoded);
  if (bytes?.[0] !== COSIGNATURE) throw malformed();
  const key = createWitnessKey(name, bytes.slice(1), sha256);
  if (hex(key.id) !== id) throw malformed();
  return key;
};

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

const malformed = (): WeighbridgeError => new WeighbridgeError('FORMAT_INVALID', 'this is no key of a witness');
