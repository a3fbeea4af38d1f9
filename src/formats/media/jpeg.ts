import { createCursor } from '../../bytes/cursor.ts';
import { KIB } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { type Context, complete, type Format, type Inspection } from '../format.ts';
import { type Captions, createCaptions } from './captions.ts';
import { checkTrailing } from './trailing.ts';

/** Bytes of entropy-coded data read at a time. */
const BLOCK = 256 * KIB;
const SCAN = 0xda;
const END = 0xd9;
/** Comments, and the segments of Exif, XMP and IPTC. */
const CAPTIONS = [0xfe, 0xe1, 0xed];

/** JPEG: marker segments and scans up to the end of image, nothing behind. */
export const jpeg: Format = {
  name: 'jpeg',
  title: 'JPEG image',
  begins: [0xff],
  recognisedBy: 'the start-of-image marker followed by another marker',
  checks:
    'every segment up to the end-of-image marker; comments and metadata against the rules for injected text; what stands behind it is inspected; damage is told',
  references: ['ITU-T T.81, annex B'],
  recognise: (head) => head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff,
  inspect(source, context): Inspection {
    const captions = createCaptions(context);
    const end = endOfImage(source, context, captions);
    captions.finish();
    if (typeof end === 'string') {
      const message = `the image is damaged (${end}), as images from the web often are`;
      context.report({ rule: 'jpeg.damaged', severity: 'info', message, offset: 0 });
      return { format: 'jpeg', content: 'inert', coverage: complete(source.size) };
    }
    const content = checkTrailing(source, end, 'jpeg', context);
    return { format: 'jpeg', content, coverage: complete(source.size) };
  },
};

/** Offset behind the end-of-image marker, or what is wrong. A decoder that meets the damage stops; none runs anything. */
const endOfImage = (source: RandomAccess, context: Context, captions: Captions): number | string => {
  const cursor = createCursor(source, 2);
  while (cursor.remaining() > 2) {
    context.budget.spend('steps', 1);
    const lead = cursor.u8();
    let marker = cursor.u8();
    while (marker === 0xff && cursor.remaining() > 0) marker = cursor.u8();
    if (lead !== 0xff) return 'a segment does not begin with a marker';
    if (marker === END) return cursor.position;
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) continue;
    if (cursor.remaining() < 2) break;
    const length = cursor.u8() * 0x100 + cursor.u8();
    if (length < 2 || length - 2 > cursor.remaining()) return 'a segment goes beyond the file';
    if (CAPTIONS.includes(marker)) captions.add('comment', cursor.bytes(length - 2), cursor.position);
    else cursor.skip(length - 2);
    if (marker === SCAN) cursor.position = endOfScan(source, cursor.position);
  }
  const [first, second] = cursor.remaining() === 2 ? cursor.bytes(2) : [];
  return first === 0xff && second === END ? source.size : 'it has no end';
};

/** Offset of the first marker that is neither stuffing nor a restart; the end of the file when there is none. */
const endOfScan = (source: RandomAccess, start: number): number => {
  for (let offset = start; offset < source.size - 1; offset += BLOCK) {
    const bytes = source.read(offset, Math.min(BLOCK + 1, source.size - offset));
    for (let at = bytes.indexOf(0xff); at >= 0 && at < bytes.length - 1; at = bytes.indexOf(0xff, at + 1)) {
      const next = bytes[at + 1] ?? 0;
      if (next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return offset + at;
    }
  }
  return source.size;
};
