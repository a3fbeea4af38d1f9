import { createCursor } from '../../bytes/cursor.ts';
import { KIB } from '../../bytes/limits.ts';
import type { RandomAccess } from '../../bytes/random-access.ts';
import { WeighbridgeError } from '../../errors.ts';
import { complete, type Format, type Inspection } from '../format.ts';
import { checkTrailing } from './trailing.ts';

/** Bytes of entropy-coded data read at a time. */
const BLOCK = 256 * KIB;
const SCAN = 0xda;
const END = 0xd9;

/** JPEG: marker segments and scans up to the end of image, nothing behind. */
export const jpeg: Format = {
  name: 'jpeg',
  title: 'JPEG image',
  recognisedBy: 'the start-of-image marker followed by another marker',
  checks: 'every segment in bounds up to the end-of-image marker; what stands behind it is inspected',
  references: ['ITU-T T.81, annex B'],
  recognise: (head) => head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff,
  inspect(source, context): Inspection {
    const cursor = createCursor(source, 2);
    for (;;) {
      context.budget.spend('steps', 1);
      const lead = cursor.u8();
      let marker = cursor.u8();
      while (marker === 0xff) marker = cursor.u8();
      if (lead !== 0xff)
        throw new WeighbridgeError('FORMAT_INVALID', 'a segment does not begin with a marker', {
          offset: cursor.position,
        });
      if (marker === END) break;
      if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) continue;
      const length = cursor.u8() * 0x100 + cursor.u8();
      if (length < 2 || length - 2 > cursor.remaining()) {
        throw new WeighbridgeError('FORMAT_TRUNCATED', 'a segment ends behind the file', { offset: cursor.position });
      }
      cursor.skip(length - 2);
      if (marker === SCAN) cursor.position = endOfScan(source, cursor.position);
    }
    const content = checkTrailing(source, cursor.position, 'jpeg', context);
    return { format: 'jpeg', content, coverage: complete(source.size) };
  },
};

/** Offset of the first marker that is neither stuffing nor a restart. */
const endOfScan = (source: RandomAccess, start: number): number => {
  for (let offset = start; offset < source.size - 1; offset += BLOCK) {
    const bytes = source.read(offset, Math.min(BLOCK + 1, source.size - offset));
    for (let at = bytes.indexOf(0xff); at >= 0 && at < bytes.length - 1; at = bytes.indexOf(0xff, at + 1)) {
      const next = bytes[at + 1] ?? 0;
      if (next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return offset + at;
    }
  }
  throw new WeighbridgeError('FORMAT_TRUNCATED', 'a scan has no end', { offset: start });
};
