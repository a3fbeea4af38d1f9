import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Context, complete, type Format, type Inspection } from '../format.ts';
import { checkTrailing } from './trailing.ts';

const HEADER = 13;
/** Bytes of a colour table whose size field is `packed`; none when its flag is not set. */
const tableSize = (packed: number): number => ((packed & 0x80) === 0 ? 0 : 3 * 2 ** ((packed & 7) + 1));

/** GIF: blocks up to the trailer, nothing behind. */
export const gif: Format = {
  name: 'gif',
  title: 'GIF image',
  recognisedBy: '`GIF87a` or `GIF89a`',
  checks: 'every block in bounds up to the trailer; what stands behind it is inspected',
  references: ['https://www.w3.org/Graphics/GIF/spec-gif89a.txt'],
  recognise: (head) => /^GIF8[79]a$/.test(String.fromCharCode(...head.subarray(0, 6))),
  inspect(source, context): Inspection {
    const cursor = createCursor(source, HEADER);
    cursor.skip(tableSize(source.read(10, 1)[0] ?? 0));
    for (;;) {
      context.budget.spend('steps', 1);
      const introducer = cursor.u8();
      if (introducer === 0x3b) break;
      if (introducer === 0x21) cursor.skip(1);
      else if (introducer === 0x2c) {
        cursor.skip(8);
        cursor.skip(tableSize(cursor.u8()) + 1);
      } else
        throw new WeighbridgeError('FORMAT_INVALID', `unknown block ${introducer}`, { offset: cursor.position - 1 });
      skipSubBlocks(cursor, context);
    }
    const content = checkTrailing(source, cursor.position, 'gif', context);
    return { format: 'gif', content, coverage: complete(source.size) };
  },
};

const skipSubBlocks = (cursor: Cursor, context: Context): void => {
  for (let length = cursor.u8(); length !== 0; length = cursor.u8()) {
    context.budget.spend('steps', 1);
    cursor.skip(length);
  }
};
