import { type Budget, MIB } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { decodeUtf8, utf8Length } from '../../bytes/utf8.ts';
import { WeighbridgeError } from '../../errors.ts';
import { checkBlock, type RawBlock, rawBlocksOf, textOf } from '../text/decode.ts';
import type { QuickRows } from './quick.ts';

/** Characters of one line. */
const LINE = 16 * MIB;
/** Bytes of lines that are read as they lie, for a step. */
const BYTES = 512;

/** A line that is read by the parser; `end` is behind its line feed, and `passed` rows before it were taken as they lie. */
export type Line = { readonly line: string; readonly offset: number; readonly end: number; readonly passed: number };

/**
 * The lines of a file that `quick` does not take; the last one may be empty. A block is checked to be text before
 * anything of it is read, so that a mistake in it is found at the same place whoever reads it.
 */
export const linesOf = function* (source: RandomAccess, quick: QuickRows, budget: Budget): Generator<Line> {
  let carried = '';
  let carriedAscii = true;
  let started = 0;
  let passed = 0;
  for (const block of rawBlocksOf(source)) {
    if (carried === '' && block.encoding.name === 'utf-8') {
      const narrow = checkBlock(block);
      let start = 0;
      for (let feed = block.bytes.indexOf(0x0a); feed >= 0; feed = block.bytes.indexOf(0x0a, start)) {
        if (quick.take(block.bytes, start, feed, block.offset)) {
          passed += 1;
          budget.spend('steps', 1 + (feed - start) / BYTES);
        } else {
          yield { ...lineAt(block, start, feed), passed };
          passed = 0;
        }
        start = feed + 1;
      }
      started = block.offset + start;
      carried = decodeUtf8(block.bytes.subarray(start));
      carriedAscii = narrow;
    } else {
      const { text, offset, narrow } = textOf(block);
      if (carried === '') started = offset;
      const lines = (carried + text).split('\n');
      carried = lines.pop() ?? '';
      const ascii = narrow && carriedAscii;
      for (const line of lines) {
        const end = started + 1 + (ascii ? line.length : utf8Length(line));
        yield { line, offset: started, end, passed };
        passed = 0;
        started = end;
      }
      // What is carried over may have begun blocks ago.
      carriedAscii = narrow && (carriedAscii || lines.length > 0);
    }
    if (carried.length > LINE)
      throw new WeighbridgeError('LIMIT_EXCEEDED', `limit of ${LINE} characters a line reached`, { offset: started });
  }
  yield { line: carried, offset: started, end: source.size, passed };
};

const lineAt = ({ bytes, offset }: RawBlock, start: number, feed: number): Omit<Line, 'passed'> => ({
  line: decodeUtf8(bytes.subarray(start, feed)),
  offset: offset + start,
  end: offset + feed + 1,
});
