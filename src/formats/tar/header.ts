/** Bytes of a tar block. */
export const BLOCK = 512;

/** The number in an octal field: digits, then a space or NUL. Undefined when it is anything else. */
export const octal = (bytes: Uint8Array): number | undefined => {
  const text = String.fromCharCode(...bytes);
  const match = /^ *([0-7]*)[\0 ]*$/.exec(text);
  return match === null ? undefined : Number.parseInt(match[1] || '0', 8);
};

/** The sum of a header's bytes, the checksum field counted as spaces: unsigned as POSIX has it. */
export const headerSum = (block: Uint8Array): number => {
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i += 1) if (i < 148 || i >= 156) sum += block[i] ?? 0;
  return sum;
};

/** True when the first block of `head` is a tar header, of any dialect: its checksum is right. */
export const isTarHeader = (head: Uint8Array): boolean => {
  if (head.length < BLOCK || head[0] === 0) return false;
  return octal(head.subarray(148, 156)) === headerSum(head);
};
