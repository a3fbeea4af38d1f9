/** A way in which the machine reads a stream otherwise than pickletools, and why that is right. */
export type Difference = {
  readonly name: string;
  /** Newer versions of pickletools read as we do. */
  readonly ofOlder?: true;
  /** Whether it explains that we say `own` and pickletools says `other` of what stands at `at`. */
  applies(stream: Uint8Array, at: number, own: string, other: string, index: number): boolean;
};

const refuses = (line: string): boolean => line.startsWith('broken');

/** The line of text that is the operand at `at`, behind its opcode; `skip` lines on. */
const lineAt = (stream: Uint8Array, at: number, skip = 0): string => {
  let start = at + 1;
  for (let passed = 0; passed < skip; passed++) start = stream.indexOf(0x0a, start) + 1;
  const end = stream.indexOf(0x0a, start);
  return Buffer.from(stream.subarray(start, end < 0 ? stream.length : end)).toString('latin1');
};
const opcodeAt = (stream: Uint8Array, at: number): string => String.fromCharCode(stream[at] ?? 0);
const stricter = (
  name: string,
  opcodes: string,
  matches: (stream: Uint8Array, at: number, index: number) => boolean,
): Difference => ({
  name: `stricter: ${name}`,
  applies: (stream, at, own, other, index) =>
    refuses(own) && !refuses(other) && opcodes.includes(opcodeAt(stream, at)) && matches(stream, at, index),
});
const names = (stream: Uint8Array, at: number): string =>
  opcodeAt(stream, at) === 'P' ? lineAt(stream, at) : `${lineAt(stream, at)}\n${lineAt(stream, at, 1)}`;

/** Opcodes before a memo index that a pickler can have reached (`MEMO_SLACK` of the machine). */
const SLACK = 1024;

/** All that is known. Whatever else differs is a mistake of ours. */
export const DIFFERENCES: readonly Difference[] = [
  stricter('a number with leading zeros, which loaders read in base 8, 10 or not at all', 'ILgp', (stream, at) =>
    /^\s*[+-]?0[0-9_]/.test(lineAt(stream, at)),
  ),
  stricter('a memo index below zero or beyond 32 bits', 'gp', (stream, at) => {
    const value = Number(lineAt(stream, at).trim().replaceAll('_', ''));
    return value < 0 || value > 0xffffffff;
  }),
  stricter('a memo index far beyond what was pushed, for which loaders allocate', 'pr', (stream, at, index) => {
    const written = Number(lineAt(stream, at).trim().replaceAll('_', ''));
    const value = opcodeAt(stream, at) === 'p' ? written : Buffer.from(stream).readUInt32LE(at + 1);
    return value > 2 * (index + 1) + SLACK;
  }),
  stricter('a protocol that does not exist', '\x80', (stream, at) => (stream[at + 1] ?? 0) > 5),
  stricter(
    'a frame or a length beyond 2^53',
    '\x95',
    (stream, at) => Buffer.from(stream).readBigUInt64LE(at + 1) >> 53n > 0n,
  ),
  stricter('a string of one quotation mark', 'S', (stream, at) => /^["']$/.test(lineAt(stream, at))),
  {
    name: 'wider: names as they stand, where pickletools undoes escapes or fails at them',
    applies: (stream, at, own) =>
      'ciP'.includes(opcodeAt(stream, at)) && !refuses(own) && names(stream, at).includes('\\'),
  },
  {
    name: 'wider: names in UTF-8, where pickletools before 3.12 takes ASCII only',
    ofOlder: true,
    applies: (stream, at, own, other) =>
      'ciP'.includes(opcodeAt(stream, at)) && !refuses(own) && refuses(other) && /[\x80-\xff]/.test(names(stream, at)),
  },
  {
    name: 'wider: strings of Python 2 that are not ASCII, which loaders decode as they are told',
    ofOlder: true,
    applies: (stream, at, own, other) =>
      opcodeAt(stream, at) === 'S' &&
      !refuses(own) &&
      refuses(other) &&
      /[\x80-\xff]|\\x[89a-fA-F]|\\[2-7][0-7]{2}/.test(lineAt(stream, at)),
  },
];
