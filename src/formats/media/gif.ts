import { type Cursor, createCursor } from '../../bytes/cursor.ts';
import { WeighbridgeError } from '../../errors.ts';
import { type Context, complete, type Format, type Inspection } from '../format.ts';
import { createCaptions } from './captions.ts';
import { checkTrailing } from './trailing.ts';

const HEADER = 13;
/** Extensions with text: comments, plain text, and those of applications, which hold XMP. */
const TEXTS = [0xfe, 0x01, 0xff];
/** Blocks of one text that are looked at, of 255 bytes at most: some 256 KiB. */
const PIECES = 1024;
/** Bytes of a colour table whose size field is `packed`; none when its flag is not set. */
const tableSize = (packed: number): number => ((packed & 0x80) === 0 ? 0 : 3 * 2 ** ((packed & 7) + 1));

/** GIF: blocks up to the trailer, nothing behind. */
export const gif: Format = {
  name: 'gif',
  title: 'GIF image',
  begins: [0x47],
  recognisedBy: '`GIF87a` or `GIF89a`',
  checks:
    'every block in bounds up to the trailer; comments and metadata against the rules for injected text; what stands behind it is inspected',
  references: ['https://www.w3.org/Graphics/GIF/spec-gif89a.txt'],
  recognise: (head) => /^GIF8[79]a$/.test(String.fromCharCode(...head.subarray(0, 6))),
  inspect(source, context): Inspection {
    const cursor = createCursor(source, HEADER);
    cursor.skip(tableSize(source.read(10, 1)[0] ?? 0));
    const captions = createCaptions(context);
    for (;;) {
      context.budget.spend('steps', 1);
      const introducer = cursor.u8();
      if (introducer === 0x3b) break;
      let isText = false;
      if (introducer === 0x21) isText = TEXTS.includes(cursor.u8());
      else if (introducer === 0x2c) {
        cursor.skip(8);
        cursor.skip(tableSize(cursor.u8()) + 1);
      } else
        throw new WeighbridgeError('FORMAT_INVALID', `unknown block ${introducer}`, { offset: cursor.position - 1 });
      const start = cursor.position;
      const pieces = readSubBlocks(cursor, context, isText);
      if (isText) captions.add('comment', Uint8Array.from(pieces.flatMap((piece) => [...piece])), start);
    }
    captions.finish();
    const content = checkTrailing(source, cursor.position, 'gif', context);
    return { format: 'gif', content, coverage: complete(source.size) };
  },
};

/** Goes behind the blocks that follow each other; gives those that are `kept`, as many as a caption may have. */
const readSubBlocks = (cursor: Cursor, context: Context, kept: boolean): Uint8Array[] => {
  const pieces: Uint8Array[] = [];
  for (let length = cursor.u8(); length !== 0; length = cursor.u8()) {
    context.budget.spend('steps', 1);
    if (kept && pieces.length < PIECES) pieces.push(cursor.bytes(length));
    else cursor.skip(length);
  }
  return pieces;
};
