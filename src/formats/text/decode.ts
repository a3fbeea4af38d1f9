import { KIB } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { checkUtf8, cutSequence, decodeUtf8 } from '../../bytes/utf8.ts';
import { WeighbridgeError } from '../../errors.ts';

/** Bytes decoded at a time; also the window of the reader, so that one block is one read. */
const BLOCK = 256 * KIB;
/** A line longer than this is given in pieces. */
const LINE = 64 * KIB;

export type Encoding = { readonly name: 'utf-8' | 'utf-16le' | 'utf-16be'; readonly mark: number };

/** The encoding by byte order mark; UTF-8 without one. */
export const encodingOf = (head: Uint8Array): Encoding => {
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) return { name: 'utf-8', mark: 3 };
  if (head[0] === 0xff && head[1] === 0xfe && !(head[2] === 0 && head[3] === 0)) return { name: 'utf-16le', mark: 2 };
  if (head[0] === 0xfe && head[1] === 0xff) return { name: 'utf-16be', mark: 2 };
  return { name: 'utf-8', mark: 0 };
};

/** Control characters but those that text may hold: white space, backspace, form feed, the escape of terminal colours. */
const isControl = (unit: number): boolean => unit < 0x20 && !(unit >= 0x08 && unit <= 0x0d) && unit !== 0x1b;

/** The same, for whole blocks. */
const CONTROLS = /[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f]/;

const decode = (bytes: Uint8Array, encoding: Encoding, base: number): string => {
  if (encoding.name === 'utf-8') return decodeUtf8(bytes, base);
  const units = new Uint16Array(bytes.length >> 1);
  const [low, high] = encoding.name === 'utf-16le' ? [0, 1] : [1, 0];
  for (let at = 0; at < units.length; at++) units[at] = (bytes[2 * at + low] ?? 0) | ((bytes[2 * at + high] ?? 0) << 8);
  const parts: string[] = [];
  for (let at = 0; at < units.length; at += 4096)
    parts.push(Reflect.apply(String.fromCharCode, null, units.subarray(at, at + 4096)));
  return parts.join('');
};

/** The text of the first bytes of a file, or nothing when they are not text. */
export const headText = (head: Uint8Array, size: number): string | undefined => {
  const encoding = encodingOf(head);
  const body = head.subarray(encoding.mark);
  const cut = head.length < size ? (encoding.name === 'utf-8' ? cutSequence(body) : body.length % 2) : 0;
  try {
    const text = decode(body.subarray(0, body.length - cut), encoding, encoding.mark);
    for (let at = 0; at < text.length; at++) if (isControl(text.charCodeAt(at))) return undefined;
    return text;
  } catch {
    return undefined;
  }
};

export type Block = {
  readonly text: string;
  /** Offset in bytes of its first character. */
  readonly offset: number;
  /** Every character is one byte. */
  readonly narrow: boolean;
};

/**
 * The text of a file in blocks that end with a line (or with a piece of a very long one). A byte order mark is left
 * out. Throws FORMAT_INVALID for wrong encoding and for control characters that no text has.
 */
export const blocksOf = function* (source: RandomAccess): Generator<Block> {
  for (const block of rawBlocksOf(source)) yield textOf(block);
};

const noText = (offset: number): never => {
  throw new WeighbridgeError('FORMAT_INVALID', `a control character that no text holds follows ${offset}`, { offset });
};

/** A block before it is decoded; nothing is known of it yet. */
export type RawBlock = { readonly bytes: Uint8Array; readonly offset: number; readonly encoding: Encoding };

/** Decodes a block. Throws FORMAT_INVALID like `blocksOf`. */
export const textOf = ({ bytes, offset, encoding }: RawBlock): Block => {
  const text = decode(bytes, encoding, offset);
  if (CONTROLS.test(text)) noText(offset);
  return { text, offset, narrow: text.length === bytes.length };
};

/** Whether each character of a block in UTF-8 is one byte. Throws FORMAT_INVALID like `blocksOf`, for the same bytes. */
export const checkBlock = ({ bytes, offset }: RawBlock): boolean => {
  const narrow = checkUtf8(bytes, offset);
  let wrong = 0;
  for (let at = 0; at < bytes.length; at++) wrong |= FORBIDDEN[bytes[at] ?? 0] ?? 0;
  if (wrong !== 0) noText(offset);
  return narrow;
};
const FORBIDDEN = Uint8Array.from({ length: 256 }, (_, byte) => (isControl(byte) || byte === 0x7f ? 1 : 0));

/** The blocks of a file as they lie in it. */
export const rawBlocksOf = function* (source: RandomAccess): Generator<RawBlock> {
  const encoding = encodingOf(source.read(0, Math.min(4, source.size)));
  let offset = encoding.mark;
  if (encoding.name !== 'utf-8' && (source.size - offset) % 2 !== 0) {
    throw new WeighbridgeError('FORMAT_INVALID', 'half a UTF-16 unit at the end', { offset: source.size - 1 });
  }
  while (offset < source.size) {
    const bytes = source.read(offset, Math.min(BLOCK, source.size - offset));
    const last = offset + bytes.length === source.size;
    const used = last ? bytes.length : wholeLines(bytes, encoding);
    yield { bytes: bytes.subarray(0, used), offset, encoding };
    offset += used;
  }
};

const wholeLines = (bytes: Uint8Array, encoding: Encoding): number => {
  if (encoding.name !== 'utf-8') return bytes.length - (bytes.length % 2);
  const end = bytes.lastIndexOf(0x0a) + 1;
  return end > bytes.length - LINE ? end : bytes.length - cutSequence(bytes);
};

/** The whole text of a file of at most `limit` bytes. */
export const wholeText = (source: RandomAccess, limit: number): string => {
  if (source.size > limit)
    throw new WeighbridgeError('LIMIT_EXCEEDED', `limit of ${limit} bytes of text reached`, { limit });
  return Array.from(blocksOf(source), ({ text }) => text).join('');
};
