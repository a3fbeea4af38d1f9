import { createCursor } from '../../bytes/cursor.ts';
import { WeighbridgeError } from '../../errors.ts';
import { complete, type Format, type Inspection } from '../format.ts';
import { checkTrailing } from './trailing.ts';

/** Forms of RIFF that data sets hold. */
const FORMS = ['WEBP', 'WAVE', 'AVI '];

const ascii = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** RIFF: WebP images, WAV sounds, AVI films. Chunks inside one length, nothing behind. */
export const riff: Format = {
  name: 'riff',
  title: 'WebP, WAV or AVI',
  recognisedBy: '`RIFF`, a length, and one of the forms `WEBP`, `WAVE`, `AVI `',
  checks: 'every chunk inside the length of the whole; what stands behind it is inspected',
  references: ['https://developers.google.com/speed/webp/docs/riff_container'],
  recognise: (head) => ascii(head.subarray(0, 4)) === 'RIFF' && FORMS.includes(ascii(head.subarray(8, 12))),
  inspect(source, context): Inspection {
    const cursor = createCursor(source, 4);
    const end = cursor.u32() + 8;
    if (end > source.size)
      throw new WeighbridgeError('FORMAT_TRUNCATED', 'the length goes beyond the file', { offset: 4 });
    const form = ascii(cursor.bytes(4)).trim();
    while (cursor.position < end) {
      context.budget.spend('steps', 1);
      cursor.skip(4);
      const length = cursor.u32();
      const next = cursor.position + length;
      if (next > end)
        throw new WeighbridgeError('FORMAT_INVALID', 'a chunk goes beyond the whole', { offset: cursor.position });
      cursor.position = Math.min(end, next + (length % 2));
    }
    const content = checkTrailing(source, end + (end % 2 === 1 && end < source.size ? 1 : 0), 'riff', context);
    return { format: 'riff', content, coverage: complete(source.size), details: { form } };
  },
};
