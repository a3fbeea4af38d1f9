import { MIB } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { isFault } from '../../errors.ts';
import { encodingOf } from './decode.ts';

/** Formats that people read line by line. */
const TEXTS: ReadonlySet<string> = new Set([
  'text',
  'json',
  'jsonl',
  'python',
  'script',
  'jinja',
  'markup',
  'xml',
  'pmml',
  'openvino',
  'lightgbm',
]);
/** Bytes in which lines are counted: what stands behind them has its offset alone. */
const COUNTED = 64 * MIB;
const BLOCK = 1 * MIB;
const FEED = 0x0a;

/** The lines, from 1, in which `offsets` stand, by offset; none for a format that has no lines. Reads as far as the last. */
export const linesAt = (
  format: string,
  source: RandomAccess,
  offsets: readonly number[],
): ReadonlyMap<number, number> => {
  const lines = new Map<number, number>();
  const wanted = [...new Set(offsets)]
    .filter((offset) => offset < Math.min(COUNTED, source.size))
    .sort((a, b) => a - b);
  if (!TEXTS.has(format) || wanted.length === 0) return lines;
  try {
    if (encodingOf(source.read(0, Math.min(4, source.size))).name === 'utf-8') count(source, wanted, lines);
  } catch (error) {
    // The budget of the file is spent: its findings have their offsets.
    if (!isFault(error)) throw error;
  }
  return lines;
};

const count = (source: RandomAccess, wanted: readonly number[], lines: Map<number, number>): void => {
  let line = 1;
  let start = 0;
  let block = new Uint8Array();
  let at = 0;
  for (const offset of wanted) {
    while (at < offset) {
      if (at >= start + block.length) {
        start = at;
        block = Uint8Array.from(source.read(at, Math.min(BLOCK, source.size - at)));
      }
      const feed = block.indexOf(FEED, at - start);
      const behind = feed < 0 ? start + block.length : start + feed + 1;
      if (feed >= 0 && behind <= offset) line += 1;
      at = Math.min(behind, offset);
    }
    lines.set(offset, line);
  }
};
