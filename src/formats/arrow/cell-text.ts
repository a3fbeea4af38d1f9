import { decodeUtf8 } from '../../bytes/utf8.ts';
import { isFault } from '../../errors.ts';

/** Bytes of a cell that is no text which are looked at. */
const BINARY = 4096;

/** Protocols 2 to 5 of pickle begin with these two bytes and end with a dot. */
export const isPickle = (bytes: Uint8Array): boolean =>
  bytes.length > 3 && bytes[0] === 0x80 && (bytes[1] ?? 0) >= 2 && (bytes[1] ?? 0) <= 5 && bytes.at(-1) === 0x2e;

/** Each byte as the letter of its number. */
export const latin = (bytes: Uint8Array): string => {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 4096) parts.push(String.fromCharCode(...bytes.subarray(at, at + 4096)));
  return parts.join('');
};

/** A cell as text; bytes that are none are read as if each were a letter. */
export const textOfCell = (bytes: Uint8Array): string => {
  try {
    return decodeUtf8(bytes);
  } catch (error) {
    if (!isFault(error)) throw error;
    return latin(bytes.subarray(0, BINARY));
  }
};
