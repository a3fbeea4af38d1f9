import type { RandomAccess } from '../bytes/random-access.ts';
import { tryPickle } from './pickle/trial.ts';

/** What bytes that should be numbers or text may turn out to be, by their first bytes. */
const MAGICS: readonly (readonly [string, readonly number[]])[] = [
  ['a zip archive', [0x50, 0x4b, 0x03, 0x04]],
  ['an ELF executable', [0x7f, 0x45, 0x4c, 0x46]],
  ['a Windows executable', [0x4d, 0x5a, 0x90, 0x00]],
  ['a Mach-O executable', [0xcf, 0xfa, 0xed, 0xfe]],
  ['a script', [0x23, 0x21, 0x2f]],
];

/**
 * What the bytes of a tensor or a buffer would be to another reader: an executable, an archive, a pickle; nothing for
 * plain numbers. Harmless where they are, since no loader of the format looks at them that way.
 */
export const disguiseOf = (bytes: RandomAccess): string | undefined => {
  const head = bytes.read(0, Math.min(bytes.size, 8));
  const magic = MAGICS.find(([, wanted]) => wanted.every((byte, index) => head[index] === byte))?.[0];
  return magic ?? (isPickle(bytes, head) ? 'a pickle' : undefined);
};

/**
 * What a file that no format takes for its own begins like: as above, or a pickle that breaks after it has imported
 * something, whatever it begins with. Importing runs code of what is imported.
 */
export const beginsLike = (bytes: RandomAccess): string | undefined => {
  const known = disguiseOf(bytes);
  if (known !== undefined) return known;
  if (OLD_JOBLIB.test(String.fromCharCode(...bytes.read(0, Math.min(bytes.size, OLD_HEADER)))))
    return 'a pickle that old versions of joblib compressed';
  return tryPickle(bytes, 0, bytes.size).globals.some(isName) ? 'a pickle' : undefined;
};

/** A mark and a hexadecimal length before a zlib stream, which every joblib still unpickles (numpy_pickle_compat.py, read_zfile). */
const OLD_JOBLIB = /^ZF\s*[+-]?(?:0x)?[0-9a-f]/i;
const OLD_HEADER = 21;

/** A name that can be imported; bytes that are no pickle import others, if any. */
const isName = (name: string): boolean => /^[\w.]+$/.test(name);

const isPickle = (bytes: RandomAccess, head: Uint8Array): boolean => {
  const [first = 0, second = 255] = head;
  const proto = first === 0x80 && second >= 2 && second <= 5;
  // Opcodes that text pickles begin with (c, parenthesis, i); anything else cannot import before it breaks.
  if (!proto && first !== 0x63 && first !== 0x28 && first !== 0x69) return false;
  const run = tryPickle(bytes, 0, bytes.size);
  return run.calls > 0 || (proto && run.stopped && run.opcodes > 2);
};
