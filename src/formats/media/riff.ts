import { createCursor } from '../../bytes/cursor.ts';
import { MIB } from '../../bytes/limits.ts';
import { WeighbridgeError } from '../../errors.ts';
import { complete, type Format, type Inspection } from '../format.ts';
import { createCaptions } from './captions.ts';
import { checkTrailing } from './trailing.ts';

/** Forms of RIFF that data sets hold. */
const FORMS = ['WEBP', 'WAVE', 'AVI '];

/** Chunks with text: XMP and Exif of images, the lists of INFO and notes of sounds and films. */
const TEXTS = ['XMP ', 'EXIF', 'LIST', '_PMX', 'iXML', 'bext', 'id3 '];
/** Bytes of one that are looked at; the frames of a film are a list as well. */
const TEXT = 1 * MIB;
/** Lists of what is no text. */
const NOT_TEXT = ['movi', 'hdrl', 'rec '];

const ascii = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** RIFF: WebP images, WAV sounds, AVI films. Chunks inside one length, nothing behind. */
export const riff: Format = {
  name: 'riff',
  title: 'WebP, WAV or AVI',
  begins: [0x52],
  recognisedBy: '`RIFF`, a length, and one of the forms `WEBP`, `WAVE`, `AVI `',
  checks:
    'every chunk inside the length of the whole; metadata against the rules for injected text; what stands behind it is inspected',
  references: ['https://developers.google.com/speed/webp/docs/riff_container'],
  recognise: (head) => ascii(head.subarray(0, 4)) === 'RIFF' && FORMS.includes(ascii(head.subarray(8, 12))),
  inspect(source, context): Inspection {
    const cursor = createCursor(source, 4);
    const end = cursor.u32() + 8;
    if (end > source.size)
      throw new WeighbridgeError('FORMAT_TRUNCATED', 'the length goes beyond the file', { offset: 4 });
    const form = ascii(cursor.bytes(4)).trim();
    const captions = createCaptions(context);
    while (cursor.position < end) {
      context.budget.spend('steps', 1);
      const name = ascii(cursor.bytes(4));
      const length = cursor.u32();
      const next = cursor.position + length;
      if (next > end)
        throw new WeighbridgeError('FORMAT_INVALID', 'a chunk goes beyond the whole', { offset: cursor.position });
      if (TEXTS.includes(name)) {
        const start = cursor.position;
        const text = cursor.bytes(Math.min(length, TEXT));
        if (!NOT_TEXT.includes(ascii(text.subarray(0, 4)))) captions.add(name.trim(), text, start);
      }
      cursor.position = Math.min(end, next + (length % 2));
    }
    captions.finish();
    const content = checkTrailing(source, end + (end % 2 === 1 && end < source.size ? 1 : 0), 'riff', context);
    return { format: 'riff', content, coverage: complete(source.size), details: { form } };
  },
};
